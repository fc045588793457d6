#include "os/close_on_exec.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/resource.h>
#include <unistd.h>

namespace liftlock {

void close_on_exec_from(int first) {
  if (::close_range(static_cast<unsigned>(first), ~0u, CLOSE_RANGE_CLOEXEC) == 0) return;
  // Before Linux 5.11, or where a filter knows no close_range.
  rlimit most{};
  if (::getrlimit(RLIMIT_NOFILE, &most) != 0) most.rlim_cur = 1u << 20;
  for (int fd = first; fd < static_cast<int>(most.rlim_cur); ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

}  // namespace liftlock
