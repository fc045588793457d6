// Plain files under a prefix of the mirror: /files/… and /bundles/…
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "net/http.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

/// Immutable after seal(). Paths are relative, without a '/' at either end.
class FileTree {
 public:
  /// A later file replaces an earlier one of the same path.
  void add(std::string path, const ArtifactFile& file);
  /// A file whose bytes are not in the store.
  void add(std::string path, const Digest& digest, std::string content);
  void seal();

  bool empty() const { return m_entries.empty(); }
  /// A file with ETag and Content-Type by its suffix; a folder (with or without '/' at the end) as JSON:
  /// {"path", "entries": [{"name", "type": "file"|"folder", "size", "sha256"}]}. @throws Error{not_found}
  HttpResponse answer(const BlobStore& blobs, std::string_view path) const;

 private:
  struct Entry {
    std::string path;
    Digest digest;
    std::uint64_t size;
    std::shared_ptr<const std::string> content;  ///< null: in the store
  };
  HttpResponse list(std::string_view folder) const;
  std::vector<Entry> m_entries;  ///< sorted by path once sealed
};

}  // namespace liftlock
