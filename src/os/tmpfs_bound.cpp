#include "os/tmpfs_bound.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// Runs between fork and exit: nobody leaves a user namespace again, and only a process of one thread enters one.
/// @param files for each of the bounds, in words
bool bound_from_within(int users, int mounts, std::span<const TmpfsBound> bounds,
                       const std::vector<std::string>& files) {
  if (::setns(users, CLONE_NEWUSER) != 0 || ::setns(mounts, CLONE_NEWNS) != 0) return false;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const int settings = ::fspick(bounds[i].folder.get(), "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
    if (settings < 0 || ::fsconfig(settings, FSCONFIG_SET_STRING, "nr_inodes", files[i].c_str(), 0) != 0 ||
        ::fsconfig(settings, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0)
      return false;
  }
  return true;
}

[[noreturn]] void refuse(int error) {
  fail(ErrorCode::sandbox_unavailable, "the files of a sandbox cannot be limited: {}", std::strerror(error));
}

}  // namespace

void bound_files(pid_t inside, std::span<const TmpfsBound> bounds) {
  const auto mounts = open_file_if_exists(fmt::format("/proc/{}/ns/mnt", inside), O_RDONLY);
  if (!mounts) return;
  // The process itself is deeper: bubblewrap shut it into one more, which owns no mounts.
  const UniqueFd users(::ioctl(mounts->get(), NS_GET_USERNS));
  if (!users.valid()) refuse(errno);
  std::vector<std::string> files;
  for (const auto& bound : bounds) files.push_back(std::to_string(bound.files));
  const auto child = ::fork();
  if (child < 0) fail_errno("fork");
  if (child == 0) ::_exit(bound_from_within(users.get(), mounts->get(), bounds, files) ? 0 : errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) fail_errno("waitpid");
  }
  if (!WIFEXITED(status)) refuse(ECANCELED);
  if (WEXITSTATUS(status) != 0) refuse(WEXITSTATUS(status));
}

}  // namespace liftlock
