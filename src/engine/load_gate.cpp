#include "engine/load_gate.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "engine/countersignature.hpp"
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

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileState state_of(const SharedFile& file) {
  const auto status = stat_of(file.file.get(), file.path);
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = nanoseconds(status.st_mtim),
          .ctime_ns = nanoseconds(status.st_ctim)};
}

/// Is it only for its owner, us or root, to change?
bool is_ours_alone(const struct stat& status) {
  return (status.st_uid == ::geteuid() || status.st_uid == 0) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

Assurance assurance_of(const BlobStore& store, const ArtifactFile& file, const SharedFile& opened) {
  int flags = 0;
  if (::ioctl(opened.file.get(), FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_VERITY_FL) != 0)
    return Assurance::fs_verity;
  struct stat folder {};
  const bool known = ::stat(store.path(file.digest).parent_path().c_str(), &folder) == 0;
  const bool ours = known && is_ours_alone(folder) && is_ours_alone(stat_of(opened.file.get(), opened.path));
  return ours ? Assurance::store_user : Assurance::shared;
}

SharedFile open_model_file(const BlobStore& store, const ArtifactFile& file) {
  return {"/models/" + std::string(file.path.filename()), store.open(file.digest)};
}

Json state_json(const ArtifactFile& file, const FileState& state) {
  return {{"sha256", file.digest.hex()}, {"device", state.device},     {"inode", state.inode},
          {"size", state.size},          {"mtime_ns", state.mtime_ns}, {"ctime_ns", state.ctime_ns}};
}

/// As the entry of a load has them; of more files than fit there nothing is kept.
Json states_json(const CheckedModel& model) {
  constexpr std::size_t k_most = 128;
  auto out = Json::array();
  if (model.files.size() > k_most) return out;
  for (std::size_t i = 0; i < model.files.size(); ++i)
    out.push_back(state_json(model.artifact.files[i], model.states[i]));
  return out;
}

/// Entry of the log by "id digest". Whoever can write this file can point to an entry only, and entries are checked.
std::map<std::string, std::uint64_t> read_hints(const fs::path& file) {
  std::map<std::string, std::uint64_t> out;
  try {
    if (!fs::exists(file)) return out;
    const auto hints = parse_json(read_file(file, 4u << 20));
    for (const auto& [key, entry] : hints.items()) {
      if (entry.is_number_unsigned()) out[key] = entry.get<std::uint64_t>();
    }
  } catch (const Error&) {
    out.clear();  // then every byte is hashed
  }
  return out;
}

std::string hint_key(const Artifact& artifact) {
  return artifact.id() + " " + main_digest(artifact).hex();
}

void keep_hint(const fs::path& file, const Artifact& artifact, std::uint64_t entry) {
  try {
    auto hints = read_hints(file);
    hints[hint_key(artifact)] = entry;
    write_file_atomically(file, dump_json(hints), 0640);
  } catch (const Error&) {
    // The next load hashes every byte again.
  }
}

/// The model as an earlier load left it, when that load hashed every byte and nobody touched a file since.
std::optional<CheckedModel> untouched(const BlobStore& store, const AuditLog& log, const GatePolicy& policy,
                                      const Artifact& artifact) {
  const auto begin = std::chrono::steady_clock::now();
  const auto hints = read_hints(policy.verified_file);
  const auto hint = hints.find(hint_key(artifact));
  if (hint == hints.end() || hint->second >= log.size()) return std::nullopt;
  const auto entry = log.read(hint->second);
  if (entry.event.type != "model.load" || entry.event.subject != artifact.id() ||
      entry.event.outcome != Outcome::success)
    return std::nullopt;
  const auto detail = parse_json(entry.event.detail);
  if (detail.value("check", std::string()) != name(Check::every_byte)) return std::nullopt;
  CheckedModel model;
  model.artifact = artifact;
  model.check = Check::untouched;
  for (const auto& file : artifact.files) {
    model.files.push_back(open_model_file(store, file));
    model.states.push_back(state_of(model.files.back()));
    model.assurance = std::max(model.assurance, assurance_of(store, file, model.files.back()));
  }
  const auto states = detail.find("files");
  if (states == detail.end() || states->empty() || *states != states_json(model)) return std::nullopt;
  if (model.assurance == Assurance::shared) return std::nullopt;
  model.bytes = artifact.total_size();
  model.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return model;
}

void check_bytes(const ArtifactFile& file, const SharedFile& opened,
                 const std::function<void(std::uint64_t)>& progress) {
  if (const auto size = regular_size(opened.file.get(), opened.path); size != file.size) {
    fail(ErrorCode::blob_corrupt, "'{}' has {} bytes instead of {}", file.path.text(), size, file.size);
  }
  const auto actual = sha256_of_range(opened.file.get(), 0, file.size, file.path.text(), progress);
  if (actual != file.digest) {
    fail(ErrorCode::blob_corrupt, "'{}' has {} instead of {}", file.path.text(), actual.text(), file.digest.text());
  }
}

}  // namespace

std::string_view name(Assurance assurance) {
  switch (assurance) {
    case Assurance::fs_verity:
      return "fs-verity";
    case Assurance::store_user:
      return "store-user";
    case Assurance::shared:
      return "shared";
  }
  return "";
}

std::string_view name(Check check) {
  return check == Check::every_byte ? "every-byte" : "untouched";
}

CheckedModel check_model(const BlobStore& store, const Artifact& artifact,
                         const std::function<void(std::uint64_t)>& progress) {
  const auto begin = std::chrono::steady_clock::now();
  CheckedModel model;
  model.artifact = artifact;
  const auto count = artifact.files.size();
  model.files.resize(count);
  model.states.resize(count);
  std::vector<Assurance> assurances(count);
  parallel_for(count, [&](std::size_t i) {
    const auto& file = artifact.files[i];
    auto& opened = model.files[i];
    opened = open_model_file(store, file);
    model.states[i] = state_of(opened);
    check_bytes(file, opened, progress);
    if (state_of(opened) != model.states[i])
      fail(ErrorCode::blob_corrupt, "'{}' was changed while it was checked", file.path.text());
    assurances[i] = assurance_of(store, file, opened);
  });
  model.assurance = *std::max_element(assurances.begin(), assurances.end());
  model.bytes = artifact.total_size();
  model.duration = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  return model;
}

CheckedModel pass_gate(const BlobStore& store, AuditLog& log, const GatePolicy& policy, const Artifact& artifact,
                       const std::string& actor, Json detail, const std::function<void(std::uint64_t)>& progress) {
  AuditEvent event{
      .type = "model.load", .actor = actor, .outcome = Outcome::success, .subject = artifact.id(), .detail = {}};
  detail["digest"] = main_digest(artifact).text();
  std::optional<CheckedModel> model;
  try {
    if (!policy.countersigners.empty()) {
      const auto signatures = CountersignatureStore(policy.countersignatures).signatures(artifact);
      for (const auto& one : require_countersignatures(artifact, signatures, TrustStore(policy.trust_folder).current(),
                                                       policy.countersigners, now()))
        detail["countersigned_by"].push_back(one.key_id);
    }
    if (!policy.recheck) model = untouched(store, log, policy, artifact);
    if (!model) model = check_model(store, artifact, progress);
  } catch (const Error& error) {
    detail["error"] = info(error.code()).slug;
    event.outcome = Outcome::failure;
    event.detail = dump_json_line(detail);
    log.append(event);
    throw;
  }
  detail["assurance"] = name(model->assurance);
  detail["bytes"] = model->bytes;
  detail["milliseconds"] = model->duration.count();
  detail["check"] = name(model->check);
  if (!policy.recheck && model->check == Check::every_byte) detail["files"] = states_json(*model);
  event.detail = dump_json_line(detail);
  const auto entry = log.append(event);  // durable before the engine sees a byte
  if (!policy.recheck && model->check == Check::every_byte) keep_hint(policy.verified_file, artifact, entry);
  return *std::move(model);
}

void read_ahead(const CheckedModel& model, const std::stop_token& stop) {
  constexpr std::uint64_t k_step =
      128u << 10;  // the kernel takes no more of one advice than a device's largest request
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    for (std::uint64_t at = 0; at < model.states[i].size && !stop.stop_requested(); at += k_step)
      ::posix_fadvise(model.files[i].file.get(), static_cast<off_t>(at), k_step, POSIX_FADV_WILLNEED);
  }
}

void check_again(const CheckedModel& model) {
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    // A touched file need not be a changed one: gc or a hard link move its ctime, too.
    if (state_of(model.files[i]) != model.states[i]) check_bytes(model.artifact.files[i], model.files[i], {});
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
