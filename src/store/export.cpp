#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

/// How many bytes of each path are the folders that all files share, the last '/' included.
std::size_t shared_prefix(const std::vector<ArtifactFile>& files) {
  std::string shared = std::string(files.front().path.parent());
  for (const auto& file : files) {
    while (!shared.empty() && !file.path.is_under(shared)) {
      const auto slash = shared.rfind('/');
      shared = slash == std::string::npos ? "" : shared.substr(0, slash);
    }
  }
  return shared.empty() ? 0 : shared.size() + 1;
}

[[noreturn]] void fail_corrupt(const ArtifactFile& file) {
  fail(ErrorCode::blob_corrupt, "the blob of {} is no longer {}", file.path.text(), file.digest.text());
}

std::size_t left_off(const std::vector<ArtifactFile>& files, ExportLayout layout) {
  switch (layout) {
    case ExportLayout::flat:
      return shared_prefix(files);
    case ExportLayout::below_top:
      return std::min(shared_prefix(files), files.front().path.text().find('/') + 1);
    case ExportLayout::bundle:
      return 0;
  }
  fail(ErrorCode::internal, "unknown export layout");
}

/// A copy that shares no change with the blob: who edits it does not edit the store.
void copy_checked(int in, int out, const ArtifactFile& file, ProgressTask& task) {
  if (::ioctl(out, FICLONE, in) == 0) {
    if (sha256_of_file(out, file.path.text()) != file.digest) fail_corrupt(file);
    task.advance(file.size);
    return;
  }
  const auto size = regular_size(in, file.path.text());
  if (size != file.size) fail_corrupt(file);
  const auto told = [&](std::uint64_t bytes) { task.advance(bytes); };
  if (copy_hashed(in, 0, out, size, file.path.text(), told) != file.digest) fail_corrupt(file);
}

/// Is it there already? Other bytes under its name are somebody's work, and stay.
bool stands(int folder, const RelPath& path, const ArtifactFile& file) {
  const auto there = open_beneath(folder, path, O_RDONLY | O_NONBLOCK);
  if (!there) return false;
  if (sha256_of_file(there->get(), path.text()) == file.digest) return true;
  throw Error(ErrorCode::immutable, fmt::format("'{}' is there already with other bytes", path.text()),
              "export to an empty folder, or remove that file");
}

void export_file(const BlobStore& store, int folder, const RelPath& path, const ArtifactFile& file,
                 ProgressTask& task) {
  if (!store.contains(file.digest)) {
    fail(ErrorCode::not_fetched, "the store does not hold {} ({})", file.path.text(), file.digest.text());
  }
  if (stands(folder, path, file)) return task.advance(file.size);
  const auto in = store.open(file.digest);
  make_parents_beneath(folder, path);
  const auto parent = path.parent().empty()
                          ? UniqueFd(::fcntl(folder, F_DUPFD_CLOEXEC, 0))
                          : *open_beneath(folder, RelPath::parse(path.parent()), O_RDONLY | O_DIRECTORY);
  const std::string name(path.filename());
  // Without a name nothing is left of an export that was killed; FAT and some network file systems cannot do it.
  if (const UniqueFd unnamed(::openat(parent.get(), ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0644)); unnamed.valid()) {
    copy_checked(in.get(), unnamed.get(), file, task);
    const auto itself = fmt::format("/proc/self/fd/{}", unnamed.get());
    if (::linkat(AT_FDCWD, itself.c_str(), parent.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
      fail_errno(fmt::format("give {} its name", path.text()));
    return;
  }
  // By its path, not by its content: two files of one artifact may hold the same bytes, and are written at once.
  const auto temporary = ".liftlock-" + sha256(path.text()).hex().substr(0, 16) + "-" + std::to_string(::getpid());
  ::unlinkat(parent.get(), temporary.c_str(), 0);
  const UniqueFd out(
      ::openat(parent.get(), temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out.valid()) fail_errno(fmt::format("create a file for {}", path.text()));
  try {
    copy_checked(in.get(), out.get(), file, task);
    if (::renameat2(parent.get(), temporary.c_str(), parent.get(), name.c_str(), RENAME_NOREPLACE) != 0 &&
        (errno != EINVAL || ::renameat(parent.get(), temporary.c_str(), parent.get(), name.c_str()) != 0)) {
      fail_errno(fmt::format("rename to {}", path.text()));
    }
  } catch (...) {
    ::unlinkat(parent.get(), temporary.c_str(), 0);
    throw;
  }
}

}  // namespace

std::vector<ExportedFile> export_artifact(const BlobStore& store, const Artifact& artifact, const fs::path& folder,
                                          ExportLayout layout, Reporter& reporter) {
  const auto prefix = left_off(artifact.files, layout);
  make_folders(folder);
  const auto base = open_folder(folder);
  ProgressTask task(reporter, "exporting " + artifact.id(), Unit::bytes, artifact.total_size());
  std::vector<ExportedFile> out;
  for (const auto& file : artifact.files) {
    out.push_back({folder / file.path.text().substr(prefix), file.size, file.digest});
  }
  parallel_for(artifact.files.size(), [&](std::size_t i) {
    const auto& file = artifact.files[i];
    export_file(store, base.get(), RelPath::parse(file.path.text().substr(prefix)), file, task);
  });
  sync_file_system(base.get(), folder.string());
  return out;
}

}  // namespace liftlock
