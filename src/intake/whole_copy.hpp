// A copy of a file that somebody vouches for as a whole, made in one pass: read once, hashed as a whole, and its large
// parts hashed by themselves and staged as the blobs that they are.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

/// A range of the file that is to be a blob.
struct WholePart {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

struct WholeCopy {
  struct Taken {
    WholePart part;
    Digest digest;  ///< sealed in the batch
  };

  UniqueFd file;  ///< without a name; where taken parts lie it has holes, but for their first and last MiB
  Digest digest;  ///< of all bytes of the source
  std::vector<Taken> taken;

  /// The digest of exactly this range of `file`; nullopt where it holds the bytes itself.
  /// @throws Error{digest_mismatch} for a range that a hole would be read in
  std::optional<Digest> digest_of(std::uint64_t offset, std::uint64_t size) const;
};

/// @param folder where the copy lies: on the file system of the store
/// @param parts sorted, not overlapping, within the file; what the file says of itself before anybody vouched for it
///        will do: what is read of it later decides, and digest_of() tells whether that is the same
/// @throws Error{not_regular, size_mismatch (also where a part reaches behind the end), disk_full, io_error}
WholeCopy copy_whole(const fs::path& source, const fs::path& folder, const std::vector<WholePart>& parts,
                     StagedBlobs& staged, const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
