// What production nodes take from this mirror, below /sync/. Format: docs/formats/sync.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "sync/rings.hpp"

namespace liftlock {

/// Of one moment of the catalog; immutable after seal().
class SyncPages {
 public:
  void add(const Publication& publication);
  void seal(PublishedBundles published);

  /// The answer to /sync/PATH. @throws Error{not_found}, and what rings.json is wrong with
  HttpResponse answer(const BlobStore& blobs, const Rings& rings, std::string_view path) const;

 private:
  struct Page {
    std::shared_ptr<const std::string> text;
    std::string tag;
  };
  void add_blob(const Digest& digest, std::uint64_t size) { m_blobs.emplace_back(digest, size); }
  HttpResponse blob(const BlobStore& blobs, std::string_view hex) const;

  PublishedBundles m_published;
  std::map<std::string, Page, std::less<>> m_publications;  ///< by "CHANNEL/SEQUENCE.json"
  std::vector<std::pair<Digest, std::uint64_t>> m_blobs;    ///< sorted, each once
};

}  // namespace liftlock
