// The one way into the high side: a fail-stop pipeline. Nothing is visible before the last step, and everything before
// it can be killed at any point and run again.
//
//   the log's witness was met → source → announced digest → signatures → channel rules → lists → free space →
//   every file, streamed into staging → inspection in a sandbox → audit intent → blobs → catalog → audit success
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/inspect_all.hpp"
#include "site/site.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct IngestRequest {
  std::string source;                     ///< NAME, NAME/SUBFOLDER of a configured source, or a path inside one
  std::optional<Digest> expect;           ///< the announced SHA-256 of bundle.json
  std::vector<fs::path> signatures = {};  ///< folders with more signatures of it, each in FOLDER/signatures/
  bool dry_run = false;                   ///< everything but the last three steps
  bool allow_rollback = false;
  bool accept_expired = false;
  bool restore_retired = false;
  std::string reason;  ///< demanded by the three overrides
  std::string actor;
  Inspect inspect;
};

struct IngestResult {
  enum class Status : std::uint8_t { published, already_present, dry_run };
  Status status = Status::published;
  BundleInfo info;
  Digest digest{DigestAlgorithm::sha256, std::array<std::uint8_t, 32>{}};
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::size_t new_blobs = 0;
  std::vector<JudgedSignature> signatures;
  std::vector<std::string> notes;  ///< what stood beside the bundle, overrides
};

/// What a delta leaves out, and the store does not hold either. After BundleReader::load_lists().
std::vector<FileEntry> missing_files(const BundleReader& bundle, const BlobStore& store);
/// Everything of a bundle's artifacts that the store does not hold, whether the bundle carries it or not: a bundle with
/// these lands. Sorted, each once. After BundleReader::load_lists().
std::vector<Digest> wanted_files(const BundleReader& bundle, const BlobStore& store);

/// @throws Error of the first thing that is wrong; by then the failure is in the audit log and the transfer log
IngestResult ingest(const Site& site, const IngestRequest& request, Reporter& reporter);

}  // namespace liftlock
