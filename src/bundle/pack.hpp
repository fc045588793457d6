// Low side: seals a locked stack into a bundle folder, streamed straight from the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/content_writer.hpp"
#include "bundle/delta.hpp"
#include "bundle/manifest.hpp"
#include "bundle/sbom.hpp"
#include "guard/guard.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct PackRequest {
  fs::path output;                  ///< the bundle folder; made
  std::vector<Artifact> artifacts;  ///< of the lock
  GeneratedFiles generated;
  std::vector<std::string> trust_statements;  ///< lowest version first; the first one is version first_trust_version
  std::uint64_t first_trust_version = 1;
  std::string stack;
  Digest lock;
  std::optional<ContentForm> form;  ///< nullopt: as the content is, see form_for()
  std::optional<DeltaBase> base;    ///< what its receiver has is left out
  /// Sees every file of the bundle before anything is written; what it throws ends the pack. May be empty.
  std::function<void(const std::vector<GuardedFile>&)> judge;
  /// The entry of the stack that has a file of this content ("file.docs"), for what is said of it. May be empty.
  std::function<std::string(const Digest&)> entry_of = {};
  InspectedFacts inspected = {};  ///< for the bills of materials; may be empty
  // What only bundle.json says:
  std::string channel;
  std::uint64_t sequence = 0;
  std::vector<std::uint64_t> pending;
  std::optional<PreviousBundle> previous;
  std::optional<Timestamp> expires;
  std::string expedited = {};
  std::string creator;
  std::string low_side_host;
};

struct PackResult {
  Digest digest;  ///< of bundle.json: what is announced to the receiver
  BundleInfo info;
  bool unchanged = false;  ///< the folder held exactly this content already, and was left as it is
};

/// Writes output.partial, syncs, renames to output. Killed, a second run goes on: files that are whole are kept. An
/// existing bundle with exactly this content is checked and left alone; any other existing folder is an error.
/// @throws Error{not_fetched, blob_corrupt, path_collision, immutable, disk_full}
PackResult pack(const BlobStore& store, const PackRequest& request, Reporter& reporter);

/// A tree, but one content.tar for many small files: each file of a tree costs an inode on the low side, on the medium
/// and twice on the high side. Depends on nothing but the files, so that the same lock gives the same bundle.
ContentForm form_for(const std::vector<FileEntry>& carried);

/// The content of a bundle, sorted by path; equal paths with equal digests are one file.
/// @throws Error{path_collision}
std::vector<FileEntry> plan_content(const std::vector<Artifact>& artifacts, const GeneratedFiles& generated);

}  // namespace liftlock
