#include "offline/call_filter.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::offline {
namespace {

constexpr std::array k_families = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG};
/// The highest family that the kernel may know is below it.
constexpr int k_end_of_families = 64;

void check(int result, const char* what) {
  if (result != 0) fail(ErrorCode::sandbox_unavailable, "the seccomp rule for {} is refused ({})", what, -result);
}

}  // namespace

std::vector<sock_filter> call_filter() {
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ALLOW), seccomp_release);
  if (!filter) fail(ErrorCode::sandbox_unavailable, "no seccomp filter can be made");
  auto* rules = filter.get();
  check(seccomp_attr_set(rules, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)), "other architectures");
  check(seccomp_rule_add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(connect), 0), "connect");
  check(seccomp_rule_add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(sendto), 1, SCMP_A4(SCMP_CMP_NE, 0)), "sendto");
  check(seccomp_rule_add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(sendmsg), 0), "sendmsg");
  check(seccomp_rule_add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(sendmmsg), 0), "sendmmsg");
  check(seccomp_rule_add(rules, SCMP_ACT_NOTIFY, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, AF_VSOCK)), "AF_VSOCK");
  for (int family = 0; family < k_end_of_families; ++family) {
    bool allowed = family == AF_VSOCK;
    for (const int one : k_families) allowed = allowed || one == family;
    if (allowed) continue;
    check(seccomp_rule_add(rules, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                           SCMP_A0_32(SCMP_CMP_EQ, static_cast<scmp_datum_t>(family))),
          "socket");
  }
  // What is typed into the terminal from here would be read by the shell outside.
  for (const auto request : {TIOCSTI, TIOCLINUX}) {
    check(seccomp_rule_add(rules, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                           SCMP_A1_32(SCMP_CMP_EQ, static_cast<scmp_datum_t>(request))),
          "ioctl");
  }
  for (const int call : {SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register)}) {
    check(seccomp_rule_add(rules, SCMP_ACT_ERRNO(ENOSYS), call, 0), "io_uring");
  }
  const UniqueFd program(::memfd_create("seccomp", MFD_CLOEXEC));
  if (!program.valid()) fail_errno("memfd_create");
  check(seccomp_export_bpf(rules, program.get()), "the whole");
  const auto size = regular_size(program.get(), "the seccomp program");
  std::vector<sock_filter> out(size / sizeof(sock_filter));
  if (::pread(program.get(), out.data(), size, 0) != static_cast<ssize_t>(size)) fail_errno("read the seccomp program");
  return out;
}

}  // namespace liftlock::offline
