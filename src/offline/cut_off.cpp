#include "offline/cut_off.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "offline/call_filter.hpp"
#include "offline/socket_address.hpp"
#include "os/close_on_exec.hpp"
#include "os/deadly_calls.hpp"
#include "os/environment.hpp"
#include "os/file.hpp"
#include "os/keeper.hpp"
#include "os/process.hpp"

namespace liftlock::offline {
namespace {

/// What the child says, each with its errno or a number. In this order, unless something fails.
enum class Step : int { apart = 1, sockets, filter, failed_apart, failed_network, failed_filter, failed_start };
struct Word {
  Step step{};
  int number = 0;
};

constexpr std::size_t k_max_fds = 64;

/// A descriptor that is a connection to elsewhere would be a way out that no namespace closes.
void refuse_connected_standard_files() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.ss_family == AF_UNIX) continue;
    throw Error(ErrorCode::left_network,
                fmt::format("descriptor {} is a network connection, which the command would have", fd),
                "redirect standard input and output: </dev/null, | cat");
  }
}

/// The same ids inside as outside; without root's rights only our own.
std::string id_map(const char* own_map, unsigned own) {
  if (::geteuid() != 0) return fmt::format("{0} {0} 1\n", own);
  std::string out;
  const auto text = read_file(own_map, 64u << 10);
  std::uint64_t inside = 0, outside = 0, count = 0;
  for (const char* at = text.c_str(); std::sscanf(at, "%lu %lu %lu", &inside, &outside, &count) == 3;) {
    out += fmt::format("{0} {0} {1}\n", inside, count);
    at = std::strchr(at, '\n');
    if (at == nullptr) break;
    ++at;
  }
  return out;
}

void write_text(const std::string& path, std::string_view text) {
  const auto fd = open_file(path, O_WRONLY);
  // One write: the kernel takes a map at once or not at all.
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) fail_errno("write " + path);
}

void map_ids(pid_t child) {
  const auto folder = fmt::format("/proc/{}/", child);
  if (::geteuid() != 0) write_text(folder + "setgroups", "deny");
  write_text(folder + "uid_map", id_map("/proc/self/uid_map", ::geteuid()));
  write_text(folder + "gid_map", id_map("/proc/self/gid_map", ::getegid()));
}

// -- inside the child, between fork and exec: async-signal-safe calls only

bool say(int channel, Step step, int number) {
  const Word word{step, number};
  return ::write(channel, &word, sizeof word) == sizeof word;
}

bool bring_loopback_up() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  bool good = fd >= 0 && ::ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  good = good && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  ::close(fd);
  return good;
}

bool is_loopback(const IpAddress& address) {
  const auto& bytes = address.bytes();
  if (address.is_v4()) return bytes[0] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](auto byte) { return byte == 0; }) && bytes[15] == 1;
}

/// `ip address add ADDRESS dev lo` (rtnetlink(7)).
bool add_to_loopback(const IpAddress& address) {
  const std::size_t size = address.is_v4() ? 4 : 16;
  struct {
    nlmsghdr header;
    ifaddrmsg message;
    char attributes[64];
  } request{};
  request.header.nlmsg_type = RTM_NEWADDR;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
  request.message.ifa_family = address.is_v4() ? AF_INET : AF_INET6;
  request.message.ifa_prefixlen = address.is_v4() ? 32 : 128;
  request.message.ifa_flags = IFA_F_NODAD;
  request.message.ifa_index = 1;  // lo is the first interface of every network namespace
  std::size_t used = 0;
  for (const unsigned short type : {IFA_LOCAL, IFA_ADDRESS}) {
    rtattr attribute{.rta_len = static_cast<unsigned short>(RTA_LENGTH(size)), .rta_type = type};
    std::memcpy(request.attributes + used, &attribute, sizeof attribute);
    std::memcpy(request.attributes + used + RTA_LENGTH(0), address.bytes().data(), size);
    used += RTA_ALIGN(RTA_LENGTH(size));
  }
  request.header.nlmsg_len = static_cast<unsigned>(NLMSG_LENGTH(sizeof request.message) + used);
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  char answer[512];
  bool good = fd >= 0 && ::send(fd, &request, request.header.nlmsg_len, 0) > 0;
  const auto got = good ? ::recv(fd, answer, sizeof answer, 0) : -1;
  good = got >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)));
  nlmsgerr result{};
  if (good) std::memcpy(&result, answer + NLMSG_LENGTH(0), sizeof result);
  ::close(fd);
  if (good && result.error != 0) errno = -result.error;
  return good && (result.error == 0 || result.error == -EEXIST);
}

int bound(const Endpoint& at, int type) {
  sockaddr_storage address{};
  const auto size = to_socket_address(at.address, at.port, address);
  const int fd = ::socket(address.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return -1;
  if (type == SOCK_STREAM && ::listen(fd, 512) != 0) return -1;
  return fd;
}

bool send_fds(int channel, const int* fds, std::size_t count) {
  const Word word{Step::sockets, static_cast<int>(count)};
  iovec part{const_cast<Word*>(&word), sizeof word};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * k_max_fds)]{};
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int) * count);
  std::memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  return ::sendmsg(channel, &message, MSG_NOSIGNAL) == sizeof word;
}

struct Plan {
  std::vector<Endpoint> listen, dns_v4, dns_v6;
  std::vector<sock_filter> filter;
  const char* program = nullptr;
  std::vector<char*> argv, environment;
  struct sigaction interrupt {
  }, quit{};
  CutOffSpec::Output output{};
};

/// -1 for sockets that cannot be made: of IPv6, where the machine has none.
bool make_sockets(const Plan& plan, int channel) {
  if (!bring_loopback_up()) return false;
  int fds[k_max_fds];
  std::size_t count = 0;
  for (const auto& at : plan.listen) {
    if (!is_loopback(at.address) && !add_to_loopback(at.address)) return false;
    if ((fds[count++] = bound(at, SOCK_STREAM)) < 0) return false;
  }
  if ((fds[count++] = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) < 0) return false;
  for (const auto* dns : {&plan.dns_v4, &plan.dns_v6}) {
    const int datagrams = bound(dns->front(), SOCK_DGRAM), streams = bound(dns->front(), SOCK_STREAM);
    if (datagrams >= 0 && streams >= 0) {
      fds[count++] = datagrams;
      fds[count++] = streams;
    } else if (dns == &plan.dns_v4) {
      return false;
    }
  }
  return send_fds(channel, fds, count);
}

[[noreturn]] void become_command(const Plan& plan, int channel, pid_t keeper) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    say(channel, Step::failed_apart, errno);
    ::_exit(125);
  }
  say(channel, Step::apart, ::getpid());
  char go = 0;
  if (::read(channel, &go, 1) != 1) ::_exit(125);
  if (!make_sockets(plan, channel)) {
    say(channel, Step::failed_network, errno);
    ::_exit(125);
  }
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::sigaction(SIGINT, &plan.interrupt, nullptr);
  ::sigaction(SIGQUIT, &plan.quit, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (plan.output == CutOffSpec::Output::all_to_stderr) ::dup2(STDERR_FILENO, STDOUT_FILENO);
  close_on_exec_from(3);
  leave_keeper(keeper);
  const int listener = load_with_listener(plan.filter);
  if (listener < 0) {
    say(channel, Step::failed_filter, errno);
    ::_exit(125);
  }
  say(channel, Step::filter, listener);
  if (::read(channel, &go, 1) != 1) ::_exit(125);
  ::execve(plan.program, plan.argv.data(), plan.environment.data());
  say(channel, Step::failed_start, errno);
  ::_exit(127);
}

[[noreturn]] void fail_step(const Word& word) {
  const std::string why = std::strerror(word.number);
  constexpr auto k_code = ErrorCode::sandbox_unavailable;
  switch (word.step) {
    case Step::failed_apart:
      fail(k_code, "a user and network namespace cannot be made: {}", why);
    case Step::failed_network:
      fail(k_code, "the network of the namespace cannot be set up: {}", why);
    case Step::failed_filter:
      fail(k_code, "the seccomp filter is refused: {}", why);
    case Step::failed_start:
      throw Error(ErrorCode::tool_failed, fmt::format("the program cannot be started: {}", why));
    default:
      fail(k_code, "the process that was to become the command ended early");
  }
}

/// The child's next word, with the descriptors that come along.
Word hear(int channel, Step awaited, std::vector<UniqueFd>* fds = nullptr) {
  Word word;
  iovec part{&word, sizeof word};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * k_max_fds)];
  msghdr message{};
  message.msg_iov = &part, message.msg_iovlen = 1;
  message.msg_control = control, message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do got = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  for (auto* header = CMSG_FIRSTHDR(&message); got > 0 && header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t i = 0; i < (header->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      if (fds != nullptr) fds->emplace_back(fd);
    }
  }
  if (got != sizeof word) word.step = Step{};
  if (word.step != awaited) fail_step(word);
  return word;
}

}  // namespace

CutOff::CutOff(const CutOffSpec& spec) {
  const auto program = find_program(spec.argv.at(0));
  if (!program) {
    throw Error(ErrorCode::not_found, fmt::format("there is no program '{}'", printable(spec.argv[0])),
                "the command follows after --, as in: liftlock offline -- make build");
  }
  refuse_connected_standard_files();
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGINT, &ignore, &m_interrupt);
  ::sigaction(SIGQUIT, &ignore, &m_quit);
  try {
    start(spec, program->string());
  } catch (...) {
    end();
    throw;
  }
}

CutOff::~CutOff() {
  end();
}

void CutOff::end() {
  kill();
  while (m_keeper > 0 && ::waitpid(m_keeper, nullptr, 0) < 0 && errno == EINTR) {
  }
  ::sigaction(SIGINT, &m_interrupt, nullptr);
  ::sigaction(SIGQUIT, &m_quit, nullptr);
}

void CutOff::start(const CutOffSpec& spec, const std::string& program) {
  auto argv = spec.argv;
  auto environment = environment_lines(own_environment(), spec.unset_environment, spec.set_environment);
  Plan plan{.listen = spec.listen,
            .dns_v4 = {{*IpAddress::parse("127.0.0.1"), 53}},
            .dns_v6 = {{*IpAddress::parse("::1"), 53}},
            .filter = call_filter(),
            .program = program.c_str(),
            .argv = exec_pointers(argv),
            .environment = exec_pointers(environment),
            .interrupt = m_interrupt,
            .quit = m_quit,
            .output = spec.output};
  if (plan.listen.size() > 16) fail(ErrorCode::limit_exceeded, "more than 16 addresses of the mirror");
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) fail_errno("socketpair");
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const auto parent = ::getpid();
  m_keeper = ::fork();
  if (m_keeper < 0) fail_errno("fork");
  if (m_keeper == 0) {
    // Only async-signal-safe calls from here on.
    ::close(ours.get());
    become_keeper(parent, KeeperSession::shared);
    const auto keeper = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) ::_exit(125);
    if (child == 0) become_command(plan, theirs.get(), keeper);
    keep(child);
  }
  theirs.reset();
  m_ended = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, m_keeper, 0)));
  if (!m_ended.valid()) fail_errno("pidfd_open");

  const auto child = hear(ours.get(), Step::apart).number;
  try {
    map_ids(child);
  } catch (Error& error) {
    throw Error(ErrorCode::sandbox_unavailable,
                fmt::format("the user namespace cannot be set up: {}", error.message()));
  }
  write_all(ours.get(), "g", "the command's process");
  std::vector<UniqueFd> fds;
  hear(ours.get(), Step::sockets, &fds);
  if (fds.size() < spec.listen.size() + 3) fail(ErrorCode::sandbox_unavailable, "sockets of the namespace are missing");
  auto next = fds.begin();
  for (std::size_t i = 0; i < spec.listen.size(); ++i) m_listeners.push_back(std::move(*next++));
  m_diagnosis = std::move(*next++);
  while (fds.end() - next >= 2) {
    m_dns_datagrams.push_back(std::move(*next++));
    m_dns_streams.push_back(std::move(*next++));
  }
  const auto listener = hear(ours.get(), Step::filter).number;
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  m_notifications = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), listener, 0)));
  if (!m_notifications.valid()) {
    fail(ErrorCode::sandbox_unavailable, "the filter's notifications cannot be had: {}", std::strerror(errno));
  }
  write_all(ours.get(), "g", "the command's process");
  // The end of the channel is the start of the command.
  Word word;
  ssize_t got = 0;
  do got = ::read(ours.get(), &word, sizeof word);
  while (got < 0 && errno == EINTR);
  if (got == sizeof word) fail_step(word);
}

int CutOff::wait() {
  int status = 0;
  while (::waitpid(m_keeper, &status, 0) < 0) {
    if (errno != EINTR) fail_errno("waitpid");
  }
  m_keeper = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void CutOff::kill() {
  if (m_keeper > 0) ::kill(m_keeper, SIGTERM);
}

}  // namespace liftlock::offline
