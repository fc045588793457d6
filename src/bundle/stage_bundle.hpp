// One step of an ingest: the bytes of a bundle on their way into staging. Each file is read once, hashed as it is
// written, and compared with its line of the list; what the store has is compared, and not written again.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/ingest.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct Staged {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::size_t new_blobs = 0;
};

/// Where to: the store, the batch, and what was not in the store when its room was checked.
struct StagingPlace {
  const BlobStore& store;
  StagedBlobs& staged;
  const std::unordered_set<Digest>& absent;
};

/// From the bundle's folder, on all cores, the largest first. @param wanted indexes of bundle.files()
/// @throws Error{digest_mismatch, blob_corrupt, size_mismatch, disk_full, io_error}
Staged stage_content(const BundleReader& bundle, std::vector<std::size_t> wanted, const StagingPlace& place,
                     Reporter& reporter);
/// What the store has is read there, and only what it lacks comes from the peer.
/// @throws Error{blob_corrupt, size_mismatch}, and what RemoteBundle::stage() throws
Staged stage_remote(RemoteBundle& remote, const std::vector<FileEntry>& content, const StagingPlace& place,
                    Reporter& reporter);
/// Before a batch is opened that an earlier run left: what is there is read again, which may take a while.
void say_what_was_left(const BlobStore& store, const std::string& batch, Reporter& reporter);
/// A document that is in memory already. @throws Error{blob_corrupt, disk_full, io_error}
ArtifactFile stage_bytes(const StagingPlace& place, const std::string& path, const std::string& bytes);

}  // namespace liftlock
