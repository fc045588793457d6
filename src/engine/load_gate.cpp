#include "engine/load_gate.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
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
    opened = {"/models/" + std::string(file.path.filename()), store.open(file.digest)};
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

void check_again(const CheckedModel& model) {
  for (std::size_t i = 0; i < model.files.size(); ++i) {
    // A touched file need not be a changed one: gc or a hard link move its ctime, too.
    if (state_of(model.files[i]) != model.states[i]) check_bytes(model.artifact.files[i], model.files[i], {});
  }
}

const std::string& main_file(const CheckedModel& model) {
  for (const auto& file : model.files) {  // shards are sorted
    if (is_weights(file.path)) return file.path;
  }
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

}  // namespace liftlock::engine
