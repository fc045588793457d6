#include "os/deadly_calls.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "os/file.hpp"
#include "os/host.hpp"
#include "os/lockdown.hpp"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)  // Linux 5.19
#endif

namespace liftlock {
namespace {

std::string name_of_call(int number) {
  const std::unique_ptr<char, decltype(&std::free)> name(seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number),
                                                         std::free);
  return name ? name.get() : std::to_string(number);
}

/// A descriptor over a Unix socket; -1: a message without one. Async-signal-safe.
bool send_descriptor(int channel, int fd) {
  char byte = 'l';
  iovec part{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)]{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  if (fd < 0) return ::sendmsg(channel, &message, MSG_NOSIGNAL) == 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(channel, &message, MSG_NOSIGNAL) == 1;
}

}  // namespace

int load_with_listener(const std::vector<sock_filter>& filter) {
  sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                     .filter = const_cast<sock_filter*>(filter.data())};
  // Without it, signals (Go's runtime sends many) make a waiting call begin again and again.
  const auto flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const auto fd =
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
  if (fd >= 0 || errno != EINVAL) return static_cast<int>(fd);
  return static_cast<int>(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}

bool DeadlyCallWatch::is_possible() {
  // For the end of a listener's tasks (EPOLLHUP) and letting a call go on (SECCOMP_USER_NOTIF_FLAG_CONTINUE, Linux 5.5)
  // there is no way to ask but the version.
  return is_linux_at_least(5, 9) && UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))).valid();
}

bool DeadlyCallWatch::sees(std::string_view call) {
  const auto seen = watchable_calls();
  return is_possible() && std::find(seen.begin(), seen.end(), call) != seen.end();
}

DeadlyCallWatch::DeadlyCallWatch(int gate) : m_filter(deadly_call_filter()), m_gate(::fcntl(gate, F_DUPFD_CLOEXEC, 0)) {
  int ends[2];
  if (!m_gate.valid() || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_errno("socketpair");
  m_ours = UniqueFd(ends[0]);
  m_theirs = UniqueFd(ends[1]);
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  m_stop_read = UniqueFd(ends[0]);
  m_stop_write = UniqueFd(ends[1]);
}

DeadlyCallWatch::~DeadlyCallWatch() {
  m_stop_write.reset();
  if (m_thread.joinable()) m_thread.join();
}

bool DeadlyCallWatch::watch_this_process() const {
  const int listener = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? load_with_listener(m_filter) : -1;
  // Once it is loaded, there is no way back: nobody would answer, and bubblewrap's own calls fail.
  const bool is_sent = send_descriptor(m_theirs.get(), listener);
  return listener >= 0 && is_sent;
}

void DeadlyCallWatch::begin(pid_t keeper) {
  m_theirs.reset();
  m_keeper = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, keeper, 0)));
  if (!m_keeper.valid()) fail_errno("pidfd_open");
  m_thread = std::thread([this] { watch(); });
}

void DeadlyCallWatch::release() {
  const std::lock_guard lock(m_mutex);
  write_all(m_gate.get(), std::string_view("x"), "the gate of the sandbox");
  m_is_released = true;
}

bool DeadlyCallWatch::is_at_work() const {
  std::unique_lock lock(m_mutex);
  m_told.wait(lock, [this] { return m_is_at_work.has_value(); });
  return *m_is_at_work;
}

std::optional<std::string> DeadlyCallWatch::found() const {
  const std::lock_guard lock(m_mutex);
  return m_found;
}

/// false: nobody is left to be watched, or we are to end.
bool DeadlyCallWatch::waits(int fd) const {
  std::array<pollfd, 2> wait{{{fd, POLLIN, 0}, {m_stop_read.get(), POLLIN, 0}}};
  while (::poll(wait.data(), wait.size(), -1) < 0) {
    if (errno != EINTR) return false;
  }
  return wait[1].revents == 0 && (wait[0].revents & POLLIN) != 0;
}

/// Not valid where the child ended before, or could not load the filter.
UniqueFd DeadlyCallWatch::receive_listener() {
  if (!waits(m_ours.get())) return {};
  char byte = 0;
  iovec part{&byte, 1};
  int fd = -1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  if (::recvmsg(m_ours.get(), &message, MSG_CMSG_CLOEXEC) != 1) return {};
  const auto* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return {};
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return UniqueFd(fd);
}

void DeadlyCallWatch::watch() {
  m_listener = receive_listener();
  {
    const std::lock_guard lock(m_mutex);
    m_is_at_work = m_listener.valid();
  }
  m_told.notify_all();
  while (m_listener.valid() && waits(m_listener.get()) && answer()) continue;
}

/// The caller holds the lock, so that no byte is written and not yet known of. What bubblewrap has read is gone.
bool DeadlyCallWatch::is_being_made() const {
  int unread = 0;
  return !m_is_released || (::ioctl(m_gate.get(), FIONREAD, &unread) == 0 && unread > 0);
}

/// false: it was a call of the program, which stays without an answer.
bool DeadlyCallWatch::answer() {
  seccomp_notif_sizes sizes{};
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0) return false;
  // Of the kernel's sizes, which may be larger than ours; 64-bit for their alignment.
  const auto words = [](std::size_t bytes, std::size_t at_least) { return std::max(bytes, at_least) / 8 + 1; };
  std::vector<std::uint64_t> asked(words(sizes.seccomp_notif, sizeof(seccomp_notif)));
  std::vector<std::uint64_t> answered(words(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
  auto* request = reinterpret_cast<seccomp_notif*>(asked.data());
  if (::ioctl(m_listener.get(), SECCOMP_IOCTL_NOTIF_RECV, request) != 0) return true;  // the caller died meanwhile
  {
    const std::lock_guard lock(m_mutex);
    if (!is_being_made()) {
      m_found = name_of_call(request->data.nr);
      ::syscall(SYS_pidfd_send_signal, m_keeper.get(), SIGTERM, nullptr, 0);
      return false;
    }
  }
  auto* response = reinterpret_cast<seccomp_notif_resp*>(answered.data());
  response->id = request->id;
  response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  ::ioctl(m_listener.get(), SECCOMP_IOCTL_NOTIF_SEND, response);
  return true;
}

}  // namespace liftlock
