#include "engine/load_gate.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/verity.hpp"
#include "engine/countersignature.hpp"
#include "engine/page_check.hpp"
#include "os/parallel.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_gguf = ".gguf";

/// As the converters of llama.cpp name it: "mmproj-model-f16.gguf", "model.mmproj.gguf".
bool is_projector(std::string_view path) {
  const auto name = to_lower(path.substr(path.rfind('/') + 1));
  return name.ends_with(k_gguf) && name.find("mmproj") != std::string::npos;
}

bool is_weights(std::string_view path) {
  return path.ends_with(k_gguf) && !is_projector(path);
}

/// What all shards of one model share: "a-*-of-00002.gguf" of "a-00001-of-00002.gguf". A whole model's own name else.
std::string name_without_shard(std::string_view path) {
  constexpr std::string_view k_form = "-00000-of-00000.gguf";
  if (path.size() <= k_form.size()) return std::string(path);
  auto end = std::string(path.substr(path.size() - k_form.size()));
  for (std::size_t i = 1; i < 6; ++i) {
    if (end[i] < '0' || end[i] > '9') return std::string(path);
  }
  if (!end.starts_with('-') || end.substr(6, 4) != "-of-") return std::string(path);
  end.replace(1, 5, "*");
  return std::string(path.substr(0, path.size() - k_form.size())) + end;
}

FileState state_of(const SharedFile& file) {
  return engine::state_of(stat_of(file.file.get(), file.path));
}

/// Is it only for its owner, us or root, to change?
bool is_ours_alone(const struct stat& status) {
  return (status.st_uid == ::geteuid() || status.st_uid == 0) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/// By rights alone: what the kernel keeps is another matter (engine/page_check.hpp).
Assurance assurance_of(const BlobStore& store, const ArtifactFile& file, const SharedFile& opened) {
  struct stat folder {};
  const bool known = ::stat(store.path(file.digest).parent_path().c_str(), &folder) == 0;
  const bool ours = known && is_ours_alone(folder) && is_ours_alone(stat_of(opened.file.get(), opened.path));
  return ours ? Assurance::store_user : Assurance::shared;
}

SharedFile open_model_file(const BlobStore& store, const ArtifactFile& file) {
  return {"/models/" + std::string(file.path.filename()), store.open(file.digest)};
}

/// Puts memory in the place of the store's files, which are read from then on to fill it.
void make_copies(CheckedModel& model) {
  if (const auto free = available_memory(); model.bytes > free) {
    throw Error(ErrorCode::model_unfit,
                fmt::format("the policy wants '{}' in sealed memory: {} are needed, and {} are left",
                            printable(model.artifact.name), format_size(model.bytes), format_size(free)),
                "unload other models (`liftlock model unload`), add memory, or set model_memory = \"file\" in [policy] "
                "of config.toml");
  }
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    const auto& file = model.artifact.files[i];
    const auto& copy = model.copies.emplace_back(std::string(file.path.filename()), file.size);
    const auto path = model.files[i].path;
    model.sources.push_back(std::exchange(model.files[i], SharedFile{path, copy.reader(), true}));
  }
  model.assurance = Assurance::sealed_memory;
}

void seal_copies(CheckedModel& model) {
  for (auto& copy : model.copies) copy.seal();
  model.copies.clear();
  model.sources.clear();
}

/// Where the bytes that are to be checked come from.
const SharedFile& source_of(const CheckedModel& model, std::size_t number) {
  return model.sources.empty() ? model.files[number] : model.sources[number];
}

/// Any thread: the bytes of a file at this offset, as they are hashed.
void keep_copy(CheckedModel& model, std::size_t number, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  if (!model.copies.empty()) model.copies[number].write(offset, bytes);
}

/// All files open, as they are now, and nothing hashed yet.
CheckedModel open_model(const BlobStore& store, const Artifact& artifact, ModelMemory memory) {
  CheckedModel model;
  model.artifact = artifact;
  model.bytes = artifact.total_size();
  for (const auto& file : artifact.files) {
    const auto& opened = model.files.emplace_back(open_model_file(store, file));
    model.states.push_back(state_of(opened));
    model.assurance = std::max(model.assurance, assurance_of(store, file, opened));
  }
  if (memory == ModelMemory::sealed) make_copies(model);
  return model;
}

void require_size(const ArtifactFile& file, const SharedFile& opened) {
  if (const auto size = regular_size(opened.file.get(), opened.path); size != file.size) {
    fail(ErrorCode::blob_corrupt, "'{}' has {} bytes instead of {}", file.path.text(), size, file.size);
  }
}

void require_same(const ArtifactFile& file, std::string_view what, const Digest& actual, const Digest& expected) {
  if (actual != expected)
    fail(ErrorCode::blob_corrupt, "'{}' has the {} {} instead of {}", file.path.text(), what, actual.hex(),
         expected.hex());
}

/// By the digest that the builder signed. @return the fs-verity digest of the same bytes
Digest check_bytes(const ArtifactFile& file, const SharedFile& opened,
                   const std::function<void(std::uint64_t)>& progress,
                   const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& copy = {}) {
  require_size(file, opened);
  const auto actual = digests_of_file(opened.file.get(), file.size, file.path.text(), progress, copy);
  require_same(file, "SHA-256", actual.sha256, file.digest);
  return actual.verity;
}

/// By the digests that an earlier check found.
void check_pieces(CheckedModel& model, const EarlierCheck& earlier,
                  const std::function<void(std::uint64_t)>& progress) {
  struct Task {
    std::size_t file, piece;
  };
  constexpr std::size_t k_pieces = 8;  ///< of one task
  std::vector<VerityTree> trees;
  std::vector<Task> tasks;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    require_size(model.artifact.files[i], source_of(model, i));
    const auto& tree = trees.emplace_back(model.artifact.files[i].size);
    for (std::size_t piece = 0; piece < tree.pieces(); piece += k_pieces) tasks.push_back({i, piece});
  }
  parallel_for(tasks.size(), [&](std::size_t number) {
    const auto& task = tasks[number];
    auto& tree = trees[task.file];
    const auto& path = model.artifact.files[task.file].path.text();
    thread_local std::vector<std::uint8_t> buffer(VerityTree::k_piece);
    for (auto piece = task.piece; piece < std::min(task.piece + k_pieces, tree.pieces()); ++piece) {
      const auto block = std::span(buffer).first(tree.length(piece));
      if (!pread_exact(source_of(model, task.file).file.get(), block, tree.begin(piece), path))
        fail(ErrorCode::blob_corrupt, "'{}' ends early", path);
      keep_copy(model, task.file, tree.begin(piece), block);
      tree.add(piece, block);
      if (progress) progress(block.size());
    }
  });
  for (std::size_t i = 0; i < trees.size(); ++i)
    require_same(model.artifact.files[i], "fs-verity digest", trees[i].digest(), earlier.verity[i]);
}

std::chrono::milliseconds since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
}

/// Did nobody touch a file since the earlier check, nor could? A copy in memory is new, and never is.
bool is_untouched(const CheckedModel& model, const EarlierCheck& earlier) {
  return model.copies.empty() && model.states == earlier.states && model.assurance != Assurance::shared;
}

/// A folder of an earlier day would believe keys that were revoked since. A log that cannot be read through is an alarm
/// of its own and takes models from nobody (docs/decisions/damaged-log.md), unless the site wants more than the
/// builder's word.
void require_trust(const TrustStore& trust, const GatePolicy& policy, const AuditLog& log, Json& detail) {
  try {
    policy.logged_trust->require(trust, log);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::audit_broken || !policy.countersigners.empty()) throw;
    detail["trust"] = "not compared: the audit log cannot be read through";
  }
}

void require_vouched(const BlobStore& store, const GatePolicy& policy, const AuditLog& log, const TrustStore& trust,
                     const Artifact& artifact, Json& detail) {
  const auto believed = policy.beliefs->require(artifact, policy.catalog_file, store, log, trust);
  detail["publication"] = believed.publication;
  detail["document"] = believed.document.text();
  detail["believed_by"] = name(believed.belief);
}

void lean_on(CheckedModel& model, const EarlierCheck& earlier) {
  model.verity = earlier.verity;
  model.entry = earlier.entry;
}

constexpr int k_more_rounds = 2;  ///< an enable() of fs-verity moves a file's ctime when it begins and when it ends

/// Are the file's bytes still those that were hashed? Another load may have had the kernel keep the same blob
/// meanwhile, and gc or a hard link touch it: then its ctime alone moved, and what the kernel does not vouch for is
/// hashed again.
/// @return the state in which they were
FileState unchanged_state(CheckedModel& model, std::size_t number, const VerityCalls& calls,
                          const std::function<void(std::uint64_t)>& progress) {
  const auto& file = model.artifact.files[number];
  const auto& source = source_of(model, number);
  auto state = model.states[number];
  for (int round = 0;; ++round) {
    const auto now = state_of(source);
    if (now == state) return state;
    state.ctime_ns = now.ctime_ns;
    if (now != state || round == k_more_rounds) break;
    if (is_kept_as_checked(model, number, source.file.get(), calls)) return state;
    const auto still = [&](std::uint64_t) {
      if (progress) progress(0);  // so that it can be ended
    };
    (void)check_bytes(file, source, still, [&](std::uint64_t at, std::span<const std::uint8_t> bytes) {
      keep_copy(model, number, at, bytes);
    });
  }
  fail(ErrorCode::blob_corrupt, "'{}' was changed while it was checked", file.path.text());
}

/// Hashes all of an opened model, and seals what is kept of it in memory.
void check_every_byte(CheckedModel& model, const std::function<void(std::uint64_t)>& progress,
                      const EarlierCheck* earlier, const VerityCalls& calls) {
  const auto& files = model.artifact.files;
  {
    const std::jthread reader([&model](const std::stop_token& stop) { read_ahead(model, stop); });
    if (earlier != nullptr) {
      check_pieces(model, *earlier, progress);
      lean_on(model, *earlier);
    } else {
      std::vector<std::optional<Digest>> verity(files.size());
      parallel_for(verity.size(), [&](std::size_t i) {
        verity[i] = check_bytes(
            files[i], source_of(model, i), progress,
            [&, i](std::uint64_t at, std::span<const std::uint8_t> bytes) { keep_copy(model, i, at, bytes); });
      });
      for (const auto& digest : verity) model.verity.push_back(*digest);
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) model.states[i] = unchanged_state(model, i, calls, progress);
  seal_copies(model);
}

/// As little as the policy allows.
void check_by_policy(CheckedModel& model, const BlobStore& store, const GatePolicy& policy,
                     const std::optional<EarlierCheck>& earlier, const std::function<void(std::uint64_t)>& progress) {
  const bool is_file = policy.memory == ModelMemory::file;
  const auto have_it_kept = [&] {
    if (is_file) have_kernel_keep(model, store, policy.verity, *policy.verity_refusals);
  };
  if (earlier && is_file && is_kept_by_kernel(model, *earlier, policy.verity)) {
    model.check = Check::as_read;
    lean_on(model, *earlier);
  } else if (earlier && !policy.recheck && is_untouched(model, *earlier)) {
    model.check = Check::untouched;
    lean_on(model, *earlier);
    have_it_kept();
  } else {
    have_it_kept();
    check_every_byte(model, progress, earlier ? &*earlier : nullptr, policy.verity);
  }
  if (is_file) settle_assurance(model, policy.verity);
}

}  // namespace

CheckedModel check_model(const BlobStore& store, const Artifact& artifact,
                         const std::function<void(std::uint64_t)>& progress, const EarlierCheck* earlier,
                         ModelMemory memory) {
  const auto begin = std::chrono::steady_clock::now();
  auto model = open_model(store, artifact, memory);
  const auto calls = kernel_verity();
  check_every_byte(model, progress, earlier, calls);
  if (memory == ModelMemory::file) settle_assurance(model, calls);
  model.duration = since(begin);
  return model;
}

CheckedModel pass_gate(const BlobStore& store, AuditLog& log, const GatePolicy& policy, const Artifact& artifact,
                       const std::string& actor, Json detail, const std::function<void(std::uint64_t)>& progress,
                       const std::function<void(const CheckedModel&)>& opened) {
  AuditEvent event{
      .type = "model.load", .actor = actor, .outcome = Outcome::success, .subject = artifact.id(), .detail = {}};
  detail["digest"] = main_digest(artifact).text();
  std::optional<CheckedModel> model;
  std::optional<EarlierCheck> earlier;
  const bool is_judged = !policy.catalog_file.empty();
  const char* stage = is_judged ? "signatures" : "countersignatures";
  try {
    const TrustStore trust(policy.trust_folder);
    if (is_judged || !policy.countersigners.empty()) require_trust(trust, policy, log, detail);
    if (is_judged) require_vouched(store, policy, log, trust, artifact, detail);
    if (!policy.countersigners.empty()) {
      stage = "countersignatures";
      const auto signatures = CountersignatureStore(policy.countersignatures).signatures(artifact);
      for (const auto& one :
           require_countersignatures(artifact, signatures, trust.current(), policy.countersigners, now()))
        detail["countersigned_by"].push_back(one.key_id);
    }
    stage = "bytes";
    earlier = find_earlier_check(log, policy.verified_file, artifact);
    model = open_model(store, artifact, policy.memory);
    if (opened) {
      stage = "sandbox";
      opened(*model);
      stage = "bytes";
    }
    const auto begin = std::chrono::steady_clock::now();
    check_by_policy(*model, store, policy, earlier, progress);
    model->duration = since(begin);
  } catch (const Error& error) {
    detail["error"] = info(error.code()).slug;
    detail["stage"] = stage;
    event.outcome = Outcome::failure;
    event.detail = dump_json_line(detail);
    log.append(event);
    throw;
  }
  detail["assurance"] = name(model->assurance);
  detail["bytes"] = model->bytes;
  detail["milliseconds"] = model->duration.count();
  detail["check"] = name(model->check);
  detail["by"] = model->entry ? "fs-verity" : "sha256";
  if (model->entry) detail["since"] = *model->entry;
  // Later loads lean on one that hashed, and on no other.
  const bool is_new = model->check == Check::every_byte && (!earlier || model->states != earlier->states);
  if (is_new) detail["files"] = files_json(artifact, model->verity, model->states);
  event.detail = dump_json_line(detail);
  const auto entry = log.append(event);  // durable before the engine sees a byte
  if (is_new) keep_earlier_check(policy.verified_file, artifact, entry);
  return *std::move(model);
}

std::optional<CheckedEngine> pass_gate(const InstalledEngine& engine, AuditLog& log, const GatePolicy& policy,
                                       AuditEvent& start) {
  if (policy.catalog_file.empty()) return std::nullopt;
  auto detail = parse_json(start.detail);
  try {
    auto checked = policy.engines->require(engine, log, policy.recheck);
    detail["files"] = checked.list.text();
    detail["check"] = name(checked.untouched ? Check::untouched : Check::every_byte);
    start.detail = dump_json_line(detail);
    return checked;
  } catch (const Error& error) {
    detail["error"] = info(error.code()).slug;
    start.outcome = Outcome::failure;
    start.detail = dump_json_line(detail);
    log.append(start);
    throw;
  }
}

void read_ahead(const CheckedModel& model, const std::stop_token& stop) {
  constexpr std::uint64_t k_step =
      128u << 10;  // the kernel takes no more of one advice than a device's largest request
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    for (std::uint64_t at = 0; at < model.states[i].size && !stop.stop_requested(); at += k_step)
      ::posix_fadvise(source_of(model, i).file.get(), static_cast<off_t>(at), k_step, POSIX_FADV_WILLNEED);
  }
}

void check_again(const CheckedModel& model) {
  if (model.assurance == Assurance::fs_verity) return;
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    if (model.files[i].in_memory) continue;
    // A touched file need not be a changed one: gc or a hard link move its ctime, too.
    if (state_of(model.files[i]) != model.states[i]) (void)check_bytes(model.artifact.files[i], model.files[i], {});
  }
}

const std::string& main_file(const CheckedModel& model) {
  const SharedFile* first = nullptr;
  for (const auto& file : model.files) {  // shards are sorted
    if (!is_weights(file.path)) continue;
    if (first == nullptr) first = &file;
    if (name_without_shard(file.path) == name_without_shard(first->path)) continue;
    throw Error(ErrorCode::model_unsupported,
                fmt::format("the model '{}' holds several: '{}' and '{}'", printable(model.artifact.name),
                            printable(first->path.substr(first->path.rfind('/') + 1)),
                            printable(file.path.substr(file.path.rfind('/') + 1))),
                "carry each as a model of its own, with `include` of [model.NAME] in the stack");
  }
  if (first != nullptr) return first->path;
  fail(ErrorCode::model_unsupported, "llama.cpp loads GGUF, and the model '{}' has no such file",
       printable(model.artifact.name));
}

std::string projector_file(const CheckedModel& model) {
  for (const auto& file : model.files) {
    if (is_projector(file.path)) return file.path;
  }
  return {};
}

bool has_projector(const Artifact& artifact) {
  return std::any_of(artifact.files.begin(), artifact.files.end(),
                     [](const auto& file) { return is_projector(file.path.filename()); });
}

const Digest& main_digest(const Artifact& artifact) {
  for (const auto& file : artifact.files) {
    if (is_weights(file.path.filename())) return file.digest;
  }
  return artifact.files.at(0).digest;
}

Artifact require_model(const Catalog& catalog, const std::string& name) {
  auto model = catalog.find("model:" + name);
  if (!model) model = catalog.find(name);
  if (!model || model->kind != "model") {
    throw Error(ErrorCode::not_found, fmt::format("the store holds no model '{}'", printable(name)),
                "`liftlock model ls` lists them");
  }
  return *std::move(model);
}

Artifact require_model(const Catalog& catalog, const Choices& aliases, const std::string& name) {
  const auto choice = aliases.current(name);
  if (!choice) return require_model(catalog, name);
  const auto is_meant = [&](const Artifact& one) {
    return one.kind == "model" && one.id() == choice->value && !one.files.empty() &&
           main_digest(one).text() == choice->digest;
  };
  if (auto found = catalog.find(choice->value); found && is_meant(*found)) return *std::move(found);
  for (auto& one : catalog.artifacts()) {  // several bundles may have brought the same id
    if (is_meant(one)) return std::move(one);
  }
  throw Error(ErrorCode::not_found,
              fmt::format("the alias '{}' leads to {}, which the store no longer holds", printable(name),
                          printable(choice->value)),
              fmt::format("liftlock model rollback {0}, or liftlock model swap {0} MODEL", printable(name)));
}

Choice choice_of(const Artifact& model, const std::string& actor) {
  return {model.id(), main_digest(model).text(), now(), actor};
}

}  // namespace liftlock::engine
