#include "offline/call_watch.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "offline/dns.hpp"
#include "offline/unix_doors.hpp"
#include "os/fd.hpp"

namespace liftlock::offline {
namespace {

constexpr std::uint16_t k_dns_port = 53;
constexpr std::size_t k_max_address = sizeof(sockaddr_storage);
constexpr std::size_t k_max_payload = 512;
constexpr unsigned k_max_messages = 1024;  // UIO_MAXIOV
constexpr std::size_t k_max_askers = 4096;

/// Up to `size` bytes of the other process; fewer where its memory ends.
std::string read_memory(pid_t process, std::uint64_t at, std::size_t size) {
  std::string out(size, '\0');
  const iovec ours{out.data(), size};
  const iovec theirs{reinterpret_cast<void*>(at), size};
  const auto got = ::process_vm_readv(process, &ours, 1, &theirs, 1, 0);
  out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return out;
}

template <typename T>
bool read_value(pid_t process, std::uint64_t at, T& out) {
  const auto bytes = read_memory(process, at, sizeof out);
  if (bytes.size() != sizeof out) return false;
  std::memcpy(&out, bytes.data(), sizeof out);
  return true;
}

/// The process of a thread: pidfd_open(2) wants its id.
pid_t process_of(pid_t thread) {
  std::ifstream in(fmt::format("/proc/{}/status", thread));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Tgid:"))
      return static_cast<pid_t>(parse_uint(trim(std::string_view(line).substr(5))).value_or(0));
  }
  return thread;
}

UniqueFd socket_of_process(pid_t thread, int fd) {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, process_of(thread), 0)));
  if (!process.valid()) return {};
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), fd, 0)));
}

int option_of(int socket, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

/// The network namespace that a socket belongs to (SIOCGSKNS); nullopt where that is not told.
std::optional<ino_t> namespace_of(int socket) {
  const UniqueFd space(::ioctl(socket, SIOCGSKNS));
  struct stat status {};
  if (!space.valid() || ::fstat(space.get(), &status) != 0) return std::nullopt;
  return status.st_ino;
}

/// connect(2) with an end: where nobody takes the connection, whoever waits for it is the one who watches the others.
int connect_soon(int socket, const sockaddr* address, socklen_t size) {
  timeval before{};
  socklen_t before_size = sizeof before;
  const bool known = ::getsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &before, &before_size) == 0;
  const timeval soon{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon);
  const int error = ::connect(socket, address, size) == 0 ? 0 : errno;
  if (known) ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &before, sizeof before);
  return error;
}

std::string_view protocol_of(int socket) {
  switch (option_of(socket, SO_TYPE)) {
    case SOCK_STREAM:
      return "tcp";
    case SOCK_DGRAM:
      return "udp";
    case SOCK_RAW:
      return "raw";
    default:
      return "ip";
  }
}

}  // namespace

struct CallWatch::Call {
  std::uint64_t id = 0;
  pid_t thread = 0;
  seccomp_data data{};
  int fd() const { return static_cast<int>(data.args[0]); }
};

/// error 0: the call goes on as it is, or, where done says so, was done by us.
struct CallWatch::Verdict {
  int error = 0;
  bool done = false;
};

CallWatch::CallWatch(Settings settings, Attempts& attempts) : m_settings(std::move(settings)), m_attempts(attempts) {
  if (::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &m_sizes) != 0) fail_errno("seccomp notification sizes");
  const auto words = [](std::size_t bytes, std::size_t at_least) { return std::max(bytes, at_least) / 8 + 1; };
  m_request.resize(words(m_sizes.seccomp_notif, sizeof(seccomp_notif)));
  m_response.resize(words(m_sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
}

void CallWatch::handle() {
  std::fill(m_request.begin(), m_request.end(), 0);
  std::fill(m_response.begin(), m_response.end(), 0);
  auto* request = reinterpret_cast<seccomp_notif*>(m_request.data());
  auto* response = reinterpret_cast<seccomp_notif_resp*>(m_response.data());
  if (::ioctl(m_settings.notifications, SECCOMP_IOCTL_NOTIF_RECV, request) != 0) return;  // the caller died meanwhile
  const Call call{.id = request->id, .thread = static_cast<pid_t>(request->pid), .data = request->data};
  const auto verdict = judge(call);
  response->id = call.id;
  response->error = -verdict.error;
  response->val = 0;
  response->flags = verdict.error == 0 && !verdict.done ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
  ::ioctl(m_settings.notifications, SECCOMP_IOCTL_NOTIF_SEND, response);
}

CallWatch::Verdict CallWatch::judge(const Call& call) {
  const auto& args = call.data.args;
  switch (call.data.nr) {
    case SYS_connect:
      return judge_connect(call);
    case SYS_sendto: {
      // As the kernel takes it: an int, and no longer than its largest address.
      const auto size = static_cast<std::uint32_t>(args[5]);
      if (size > k_max_address) return {.error = EINVAL};
      const auto bytes = read_memory(call.thread, args[4], size);
      if (bytes.size() != size) return {.error = EFAULT};
      const auto address = parse_socket_address(as_bytes(bytes));
      if (!address) return {};
      return judge_address(call, *address, AttemptKind::send,
                           read_memory(call.thread, args[1], std::min<std::uint64_t>(args[2], k_max_payload)));
    }
    case SYS_sendmsg:
      return judge_message(call, args[1]);
    case SYS_sendmmsg: {
      const auto count = std::min<std::uint64_t>(args[2], k_max_messages);
      for (std::uint64_t i = 0; i < count; ++i) {
        if (const auto verdict = judge_message(call, args[1] + i * sizeof(mmsghdr)); verdict.error != 0) return verdict;
      }
      return {};
    }
    case SYS_socket:
      m_attempts.add(AttemptKind::socket, process_of(call.thread),
                     "a socket to the host of this virtual machine (AF_VSOCK)");
      return {.error = EAFNOSUPPORT};
    default:
      return {};
  }
}

CallWatch::Verdict CallWatch::judge_connect(const Call& call) {
  const auto& args = call.data.args;
  const auto size = static_cast<std::uint32_t>(args[2]);
  if (size > k_max_address) return {.error = EINVAL};
  const auto bytes = read_memory(call.thread, args[1], size);
  if (bytes.size() != size) return {.error = EFAULT};  // what cannot be judged does not pass
  const auto address = parse_socket_address(as_bytes(bytes));
  if (!address) return {};  // the kernel will not take it either
  if (address->ip && address->port == k_dns_port) return connect_to_resolver(call, *address);
  return judge_address(call, *address, AttemptKind::connect, {});
}

CallWatch::Verdict CallWatch::judge_message(const Call& call, std::uint64_t at) {
  msghdr message{};
  if (!read_value(call.thread, at, message)) return {.error = EFAULT};
  if (message.msg_name == nullptr || message.msg_namelen == 0) return {};
  // The kernel cuts longer names to its largest address.
  const auto size = std::min<std::size_t>(message.msg_namelen, k_max_address);
  const auto bytes = read_memory(call.thread, reinterpret_cast<std::uint64_t>(message.msg_name), size);
  if (bytes.size() != size) return {.error = EFAULT};
  const auto address = parse_socket_address(as_bytes(bytes));
  if (!address) return {};
  std::string payload;
  iovec part{};
  if (message.msg_iovlen > 0 && read_value(call.thread, reinterpret_cast<std::uint64_t>(message.msg_iov), part)) {
    payload =
        read_memory(call.thread, reinterpret_cast<std::uint64_t>(part.iov_base), std::min(part.iov_len, k_max_payload));
  }
  return judge_address(call, *address, AttemptKind::send, payload);
}

bool CallWatch::stays_inside(const IpAddress& address, std::uint16_t port) const {
  return stays_here(address) || std::any_of(m_settings.inside.begin(), m_settings.inside.end(), [&](const auto& one) {
           return one.port == port && one.address.bytes() == address.bytes() && one.address.is_v4() == address.is_v4();
         });
}

CallWatch::Verdict CallWatch::judge_address(const Call& call, const GivenAddress& address, AttemptKind kind,
                                            std::string_view payload) {
  if (address.family == AF_UNIX) return judge_door(call, address);
  if (!address.ip) return {};  // disconnects (AF_UNSPEC), netlink, packets on the loopback
  if (stays_inside(*address.ip, address.port)) return {};
  if (kind == AttemptKind::send && address.port == k_dns_port) {
    if (const auto question = parse_dns_query(payload)) {
      m_attempts.add(AttemptKind::name, process_of(call.thread), question->name);
      return {.error = ENETUNREACH};
    }
  }
  const auto socket = socket_of_process(call.thread, call.fd());
  m_attempts.add(kind, process_of(call.thread),
                 fmt::format("{} port {} ({})", address.ip->text(), address.port, protocol_of(socket.get())));
  return {.error = ENETUNREACH};
}

/// Whichever resolver the program knows, it is ours that answers: so the names come out.
CallWatch::Verdict CallWatch::connect_to_resolver(const Call& call, const GivenAddress& given) {
  const auto socket = socket_of_process(call.thread, call.fd());
  if (!socket.valid()) return {.error = EBADF};
  // Programs ask for names by datagrams; a connection to that port of some host is a way out that was tried.
  if (option_of(socket.get(), SO_TYPE) == SOCK_STREAM && !stays_inside(*given.ip, given.port)) {
    m_attempts.add(AttemptKind::connect, process_of(call.thread),
                   fmt::format("{} port {} (tcp)", given.ip->text(), given.port));
    return {.error = ENETUNREACH};
  }
  const auto type = option_of(socket.get(), SO_TYPE);
  // In a namespace of the command's own our resolver is not, and what connects there may wait for ever.
  const bool ours = namespace_of(socket.get()) == namespace_of(m_settings.diagnosis);
  if (type != SOCK_DGRAM && (type != SOCK_STREAM || !ours)) return {};
  sockaddr_storage address{};
  const bool v6 = option_of(socket.get(), SO_DOMAIN) == AF_INET6;
  // An IPv6 socket that was given an IPv4 address in IPv6 form expects such an address.
  const auto resolver = IpAddress::parse(given.ip->is_v4() ? "127.0.0.1" : "::1");
  auto size = to_socket_address(*resolver, k_dns_port, address);
  if (v6 && given.ip->is_v4()) {
    sockaddr_in6 mapped{};
    mapped.sin6_family = AF_INET6, mapped.sin6_port = htons(k_dns_port);
    constexpr std::uint8_t k_mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
    std::memcpy(&mapped.sin6_addr, k_mapped, sizeof k_mapped);
    std::memcpy(&address, &mapped, sizeof mapped);
    size = sizeof mapped;
  }
  if (const int error = connect_soon(socket.get(), reinterpret_cast<sockaddr*>(&address), size); error != 0)
    return {.error = error};
  sockaddr_storage local{};
  socklen_t local_size = sizeof local;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&local), &local_size) == 0) {
    if (const auto port = parse_socket_address({reinterpret_cast<const std::uint8_t*>(&local), local_size})) {
      remember(port->port, process_of(call.thread));
    }
  }
  return {.error = 0, .done = true};
}

CallWatch::Verdict CallWatch::judge_door(const Call& call, const GivenAddress& address) {
  if (address.path.empty() || address.path[0] == '\0') return {};  // abstract names are of the network namespace
  // The thread is asked, for it may have a folder and a root of its own.
  const auto door = find_door(m_settings.diagnosis, call.thread, address.path);
  // Never left to the kernel: what leads nowhere from here may lead somewhere from there (/proc/self/fd).
  if (door.place == Door::Place::absent) return {.error = ENOENT};
  if (door.place == Door::Place::inside) return {};
  const auto& allowed = m_settings.allowed_doors;
  if (std::find(allowed.begin(), allowed.end(), door.path) != allowed.end()) {
    ++m_used_doors[door.path];
    return {};
  }
  if (!is_name_service(door.path)) m_attempts.add(AttemptKind::door, process_of(call.thread), door.path);
  return {.error = ECONNREFUSED};
}

void CallWatch::remember(std::uint16_t port, pid_t process) {
  if (m_askers.size() >= k_max_askers) m_askers.erase(m_askers.begin());
  m_askers[port] = process;
}

pid_t CallWatch::who_asks(std::uint16_t port) {
  const auto found = m_askers.find(port);
  return found == m_askers.end() ? 0 : found->second;
}

}  // namespace liftlock::offline
