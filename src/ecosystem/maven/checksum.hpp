// The checksums that stand beside the files of a Maven repository (FILE.sha1 …). Maven compares downloads
// with SHA-1, whatever else there is; nothing here is believed because of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "store/blob_store.hpp"

struct evp_md_ctx_st;

namespace liftlock::maven {

class Checksum {
 public:
  /// "sha1", "sha256", "sha512"
  static bool knows(std::string_view suffix);
  /// @throws Error{algorithm_unavailable}
  explicit Checksum(std::string_view suffix);
  void update(std::span<const std::uint8_t> bytes);
  /// Lower-case hex. Once.
  std::string hex();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> m_context;
};

/// Reads the whole file. @throws Error{not_found, blob_corrupt, algorithm_unavailable}
std::string checksum_of_blob(const BlobStore& blobs, const ArtifactFile& file, std::string_view suffix);

}  // namespace liftlock::maven
