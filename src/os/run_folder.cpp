#include "os/run_folder.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "base/error.hpp"
#include "base/rel_path.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_lock = ".lock";

/// Nobody else may put a link in the place of what we make there.
fs::path folder_above() {
  if (::geteuid() == 0) {
    make_folders("/run/liftlock");
    return "/run/liftlock";
  }
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  const auto folder =
      runtime != nullptr ? fs::path(runtime) / "liftlock" : fs::path(fmt::format("/tmp/liftlock-{}", ::getuid()));
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail_errno(fmt::format("mkdir {}", folder.string()));
  struct stat status {};
  if (::lstat(folder.c_str(), &status) != 0) fail_errno(folder.string());
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    throw Error(ErrorCode::io_error,
                fmt::format("'{}' is not a folder that only this user can change", folder.string()),
                "remove it, or set XDG_RUNTIME_DIR to a folder of your own");
  }
  return folder;
}

void remove_with_mounts(const fs::path& folder) {
  while (::umount2(folder.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  std::error_code ignored;  // what stays is in nobody's way, and the next sweep tries again
  fs::remove_all(folder, ignored);
}

void sweep(const fs::path& above) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(above, ignored)) {
    if (entry.path().extension() != k_lock) continue;
    try {
      FileLock lock(entry.path(), "a run folder", FileLock::Wait::no);
      remove_with_mounts(fs::path(entry.path()).replace_extension());
      lock.remove();
    } catch (const Error&) {  // somebody's who lives, or gone meanwhile
    }
  }
}

}  // namespace

RunFolder::RunFolder(std::string_view name) {
  static std::atomic<unsigned> last = 0;
  const auto above = folder_above();
  const FileLock one_at_a_time(above / "sweep", "making a run folder", FileLock::Wait::yes);
  sweep(above);
  m_path = above / fmt::format("{}-{}-{}", portable_component(name).substr(0, 32), ::getpid(), ++last);
  m_lock.emplace(m_path.string() + std::string(k_lock), "a run folder", FileLock::Wait::no);
  make_folders(m_path);
}

RunFolder::~RunFolder() {
  remove_with_mounts(m_path);
  try {
    m_lock->remove();
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the next sweep removes it
  }
}

}  // namespace liftlock
