// What a kernel can do is found here by trying it, so that the watch cannot be absent unseen where it could be had.
#include "os/deadly_calls.hpp"

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

namespace liftlock {
namespace {

bool is_kernel_at_least(int major, int minor) {
  utsname name{};
  int found_major = 0, found_minor = 0;
  if (::uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &found_major, &found_minor) != 2) return false;
  return found_major > major || (found_major == major && found_minor >= minor);
}

/// In a child, for a filter stays.
bool can_have_a_listener() {
  const auto child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
    ::_exit(load_with_listener({BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}) >= 0 ? 0 : 1);
  }
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

TEST(DeadlyCallWatch, SeesWhereTheKernelCan) {
  if (!is_kernel_at_least(5, 9)) {
    EXPECT_FALSE(DeadlyCallWatch::is_possible()) << "its end would not be told";
    GTEST_SKIP() << "before Linux 5.9";
  }
  if (!can_have_a_listener()) GTEST_SKIP() << "a filter above has a listener, or there is no seccomp";
  EXPECT_TRUE(DeadlyCallWatch::is_possible());
  EXPECT_TRUE(DeadlyCallWatch::sees("mount")) << "under a service's filter, too";
  EXPECT_FALSE(DeadlyCallWatch::sees("read"));
  EXPECT_TRUE(::prctl(PR_GET_SECCOMP) != 0 || DeadlyCallWatch::sees("ptrace"));
}

}  // namespace
}  // namespace liftlock
