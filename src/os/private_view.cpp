#include "os/private_view.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

[[noreturn]] void unavailable(std::string_view what) {
  throw Error(ErrorCode::sandbox_unavailable, fmt::format("{}: {}", what, std::strerror(errno)),
              "run it as root, or allow user namespaces (kernel.unprivileged_userns_clone, "
              "kernel.apparmor_restrict_unprivileged_userns)");
}

void write_map(const char* file, const std::string& text) {
  const auto fd = open_file(file, O_WRONLY);
  write_all(fd.get(), text, file);
}

void enter_namespaces() {
  const auto user = ::geteuid();
  const auto group = ::getegid();
  if (user == 0) {
    if (::unshare(CLONE_NEWNS) != 0) unavailable("a mount namespace cannot be made");
  } else {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) unavailable("a user namespace cannot be made");
    write_map("/proc/self/setgroups", "deny");
    write_map("/proc/self/uid_map", fmt::format("{0} {0} 1", user));
    write_map("/proc/self/gid_map", fmt::format("{0} {0} 1", group));
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) unavailable("mounts cannot be kept apart");
}

/// A mount is taken by the path within the new namespace, and only if the file that was given stands there.
void show(const fs::path& folder, const ShownFile& file) {
  const auto target = folder / file.name;
  fs::create_directories(target.parent_path());
  if (file.path.empty()) {
    // What the process starts finds it, too, as long as the process lives.
    if (::fcntl(file.fd, F_SETFD, 0) != 0) fail_errno("hand on a file in memory");
    return fs::create_symlink(fmt::format("/proc/{}/fd/{}", ::getpid(), file.fd), target);
  }
  open_file(target, O_WRONLY | O_CREAT | O_EXCL, 0444);
  const auto there = open_file(file.path, O_PATH | O_NOFOLLOW);
  const auto given = stat_of(file.fd, file.name), found = stat_of(there.get(), file.name);
  if (given.st_dev != found.st_dev || given.st_ino != found.st_ino)
    fail(ErrorCode::blob_corrupt, "'{}' is no longer the file that was checked", printable(file.path.string()));
  const auto source = fmt::format("/proc/self/fd/{}", there.get());
  if (::mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    unavailable(fmt::format("'{}' cannot be shown", printable(file.name)));
}

}  // namespace

void show_privately(const fs::path& folder, const std::vector<ShownFile>& files) {
  make_folders(folder);
  enter_namespaces();
  if (::mount("liftlock-view", folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=0755") != 0)
    unavailable(fmt::format("'{}' cannot be mounted over", printable(folder.string())));
  for (const auto& file : files) show(folder, file);
  if (::mount(nullptr, folder.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr) != 0)
    unavailable("the view cannot be made read-only");
}

}  // namespace liftlock
