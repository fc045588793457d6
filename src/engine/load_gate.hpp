// The load gate: no byte of a model reaches an engine that was not hashed just before, against digests that somebody
// vouches for still, and what the engine gets are the very descriptors that were hashed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "bundle/standing.hpp"
#include "engine/assurance.hpp"
#include "engine/choices.hpp"
#include "engine/earlier_check.hpp"
#include "engine/engine_files.hpp"
#include "engine/engine_process.hpp"
#include "engine/memory_need.hpp"
#include "os/sealed_memory.hpp"
#include "os/verity_file.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust.hpp"

namespace liftlock::engine {

struct CheckedModel {
  Artifact artifact;
  Check check = Check::every_byte;
  std::vector<SharedFile> files;  ///< in the artifact's order, each as /models/NAME
  std::vector<FileState> states;
  std::vector<Digest> verity;                   ///< fs-verity digests of the files
  std::optional<std::uint64_t> entry;           ///< of the log: the earlier check that this one leans on
  Assurance assurance = Assurance::store_user;  ///< of the weakest file
  std::uint64_t bytes = 0;
  std::chrono::milliseconds duration{};
  /// While `files` are memory that is still to be sealed: that memory, and the store's files that it is filled from.
  std::vector<SealedMemory> copies;
  std::vector<SharedFile> sources;
};

/// Opens every file of the model and compares its bytes, all of them, with the digests that the builder signed. Files
/// are hashed in parallel, through the page cache that the engine will read from. A SHA-256 is one core's work: with
/// `earlier`, which an earlier check found of the same bytes, the fs-verity digests are compared instead, on all cores.
/// @param progress is told of bytes as they are done, on several threads; what it throws ends the check
/// @param memory sealed: the very bytes that are hashed are put into memory that is then sealed, and that is what the
///        files of the answer are
/// @throws Error{blob_corrupt} for other bytes, fewer or more of them, bytes that change meanwhile, or a file that the
///         kernel keeps by another fs-verity digest;
///         Error{not_found} for a blob that is not there; Error{model_unfit, memory_limit} without memory for a copy
CheckedModel check_model(const BlobStore& store, const Artifact& artifact,
                         const std::function<void(std::uint64_t)>& progress = {}, const EarlierCheck* earlier = nullptr,
                         ModelMemory memory = ModelMemory::file);

/// What the site wants of a load besides right bytes.
struct GatePolicy {
  std::set<Role> countersigners;  ///< these roles must have signed the model itself
  fs::path countersignatures;     ///< CountersignatureStore
  fs::path trust_folder;
  /// Whose publications vouch for the model. Empty in tests alone, of models that nobody signed and engines that nobody
  /// installed: then catalog and folder are believed.
  fs::path catalog_file = {};
  /// Kept for all loads by the policy: each model is judged once, until the trust changes.
  std::shared_ptr<Beliefs> beliefs = std::make_shared<Beliefs>();
  std::shared_ptr<EngineChecks> engines = std::make_shared<EngineChecks>();
  /// Kept for all loads by the policy: each entry of the log is read once.
  std::shared_ptr<LoggedTrust> logged_trust = std::make_shared<LoggedTrust>();
  bool recheck = true;                     ///< false: Check::untouched will do where nobody else can write the files
  fs::path verified_file;                  ///< the hints of find_earlier_check()
  ModelMemory memory = ModelMemory::file;  ///< sealed: every load hashes, whatever `recheck` says
  /// Not where memory is sealed. A load that finds all files kept by the right digests hashes nothing, also with
  /// recheck.
  VerityCalls verity = kernel_verity();
  /// Kept for all loads by the policy: what was refused is tried again after a restart.
  std::shared_ptr<VerityRefusals> verity_refusals = std::make_shared<VerityRefusals>();
};

/// The whole gate for one load: what brought the model and who vouches for it still, countersignatures, bytes, and the
/// entry model.load in the log, durable before an engine sees a byte; its failure has an entry, too.
/// @param detail members for the entry besides the gate's own
/// @param opened is called when the files are open and before a byte of them was checked, for what only needs the
///        descriptors and takes its time meanwhile; what it throws ends the gate, and is the
///        failure of this load
/// @throws what require_believed(), check_model() and require_countersignatures() throw, Error{trust_missing,
///         trust_broken} of a trust folder that is not what the log tells of, what AuditLog::append throws
CheckedModel pass_gate(const BlobStore& store, AuditLog& log, const GatePolicy& policy, const Artifact& artifact,
                       const std::string& actor, Json detail, const std::function<void(std::uint64_t)>& progress = {},
                       const std::function<void(const CheckedModel&)>& opened = {});

/// The same of the engine that gets the model: its files are those that were installed.
/// @param start the entry engine.start of what begins now; it gets members `files` and `check`, or, where the engine is
///        refused, is written as that
/// @return for check_again(); nullopt in tests
/// @throws what EngineChecks::require() and AuditLog::append() throw
std::optional<CheckedEngine> pass_gate(const InstalledEngine& engine, AuditLog& log, const GatePolicy& policy,
                                       AuditEvent& start);

/// Has the disk read what is about to be hashed, or mapped by an engine whose sandbox is set up meanwhile.
/// @param stop asked in between
void read_ahead(const CheckedModel& model, const std::stop_token& stop);

/// For a moment after the check, e.g. when the engine has loaded: hashes again what was touched since. Sealed memory
/// and files that the kernel keeps cannot have been.
/// @throws Error{blob_corrupt}
void check_again(const CheckedModel& model);

/// The path inside of the file that llama.cpp is given: the first GGUF that is no projector; of shards it names the
/// others. @throws Error{model_unsupported}
const std::string& main_file(const CheckedModel& model);
/// The path inside of a multimodal model's projector (mmproj….gguf); empty when it has none.
std::string projector_file(const CheckedModel& model);
/// Does the model come with a projector?
bool has_projector(const Artifact& artifact);
/// Its digest.
const Digest& main_digest(const Artifact& artifact);

/// A model by the names that Catalog::find knows, "model:" left out or not. @throws Error{not_found, ambiguous}
Artifact require_model(const Catalog& catalog, const std::string& name);
/// The same, or by an alias, which wins: exactly the model that was put behind it.
/// @throws Error{not_found} also when the alias leads to what is no longer in the store
Artifact require_model(const Catalog& catalog, const Choices& aliases, const std::string& name);
/// What an alias keeps of a model.
Choice choice_of(const Artifact& model, const std::string& actor);

}  // namespace liftlock::engine
