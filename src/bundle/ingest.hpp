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
#include "os/medium.hpp"
#include "site/site.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

/// A bundle whose files lie elsewhere than in a folder: on a peer. What is in front of its content comes into a folder,
/// step by step as the pipeline believes it; its content goes straight into staging.
class RemoteBundle {
 public:
  virtual ~RemoteBundle() = default;
  /// As a bundle's folder; at first with bundle.json, the trust statements, signatures/ and withheld/ alone.
  virtual const fs::path& front() const = 0;
  /// What it was asked for: another bundle is refused.
  virtual const std::string& channel() const = 0;
  virtual std::uint64_t sequence() const = 0;
  /// Brings the lists of bundle.json, which was judged by now. Each is checked against it when it is read.
  virtual void bring_lists(const BundleInfo& info) = 0;
  /// Is this artifact in use there? What is not cannot land here. Called once the lists were read.
  virtual bool has(const std::string& artifact_id) const = 0;
  /// Stages each of these digests, and seals it. Tells of bytes as they come; any thread.
  virtual void stage(const std::vector<FileEntry>& files, StagedBlobs& staged,
                     const std::function<void(std::uint64_t)>& progress) = 0;
};

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
  RemoteBundle* remote = nullptr;  ///< takes the place of a folder; `source` then only names it for people
  std::function<Medium(const fs::path&)> medium = medium_of;  ///< which device a folder lies on; tests have others
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
