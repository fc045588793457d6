#include "offline/run.hpp"

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "offline/call_watch.hpp"
#include "offline/resolver.hpp"
#include "offline/socket_address.hpp"
#include "os/file.hpp"

namespace liftlock::offline {
namespace {

constexpr std::size_t k_max_endpoints = 8;

/// SIGTERM and SIGHUP as something to wait for.
class EndSignals {
 public:
  EndSignals() {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGTERM);
    ::sigaddset(&set, SIGHUP);
    ::sigprocmask(SIG_BLOCK, &set, &m_before);
    m_fd = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!m_fd.valid()) fail_errno("signalfd");
  }
  ~EndSignals() { ::sigprocmask(SIG_SETMASK, &m_before, nullptr); }
  EndSignals(const EndSignals&) = delete;
  EndSignals& operator=(const EndSignals&) = delete;
  int fd() const { return m_fd.get(); }
  /// The one that came; 0: none.
  int take() {
    signalfd_siginfo info{};
    return ::read(m_fd.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
  }

 private:
  sigset_t m_before{};
  UniqueFd m_fd;
};

std::string resolv_conf() {
  try {
    return read_file("/etc/resolv.conf", 64u << 10);
  } catch (const Error&) {
    return {};
  }
}

std::map<std::string, std::vector<IpAddress>> known_names(const std::optional<HttpAddress>& mirror,
                                                          const std::vector<Endpoint>& endpoints) {
  std::map<std::string, std::vector<IpAddress>> out;
  for (const auto& name : own_names(resolv_conf()))
    out[name] = {*IpAddress::parse("127.0.0.1"), *IpAddress::parse("::1")};
  if (mirror) {
    auto& addresses = out[to_lower(mirror->host)];
    addresses.clear();
    for (const auto& one : endpoints) addresses.push_back(one.address);
  }
  return out;
}

}  // namespace

std::vector<Endpoint> endpoints_of(const HttpAddress& mirror) {
  addrinfo hints{}, *list = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const int error = ::getaddrinfo(mirror.host.c_str(), std::to_string(mirror.port).c_str(), &hints, &list);
  if (error != 0) {
    throw Error(
        ErrorCode::network,
        fmt::format("the name of the mirror, '{}', is not known: {}", printable(mirror.host), ::gai_strerror(error)),
        "give --mirror an address or a name that this machine resolves");
  }
  std::vector<Endpoint> out;
  for (const auto* one = list; one != nullptr && out.size() < k_max_endpoints; one = one->ai_next) {
    const auto given = parse_socket_address({reinterpret_cast<const std::uint8_t*>(one->ai_addr), one->ai_addrlen});
    if (!given || !given->ip) continue;
    const bool known = std::any_of(out.begin(), out.end(), [&](const auto& other) {
      return other.address.is_v4() == given->ip->is_v4() && other.address.bytes() == given->ip->bytes();
    });
    if (!known) out.push_back({*given->ip, mirror.port});
  }
  ::freeaddrinfo(list);
  return out;
}

RunResult run(const RunSpec& spec) {
  std::vector<Endpoint> endpoints;
  if (spec.mirror) endpoints = endpoints_of(*spec.mirror);
  auto command_spec = spec.command;
  command_spec.listen = endpoints;
  const bool tls = spec.mirror && spec.mirror->tls;

  RunResult result;
  EndSignals end_signals;
  const auto begin = std::chrono::steady_clock::now();
  CutOff command(command_spec);
  CallWatch watch({.notifications = command.notifications(),
                   .diagnosis = command.socket_diagnosis(),
                   .inside = endpoints,
                   .allowed_doors = spec.allowed_doors},
                  result.attempts);
  Resolver resolver(known_names(spec.mirror, endpoints), watch, result.attempts);
  MirrorRelay relay(endpoints, tls ? MirrorRelay::Wire::tls : MirrorRelay::Wire::http);

  int signal = 0;
  bool watched = true;
  std::vector<pollfd> polls;
  for (;;) {
    polls.clear();
    polls.push_back({command.ended(), POLLIN, 0});
    polls.push_back({watched ? command.notifications() : -1, POLLIN, 0});
    polls.push_back({end_signals.fd(), POLLIN, 0});
    for (const auto& socket : command.dns_datagrams()) polls.push_back({socket.get(), POLLIN, 0});
    for (const auto& socket : command.dns_streams()) polls.push_back({socket.get(), POLLIN, 0});
    for (const auto& socket : command.listeners()) polls.push_back({socket.get(), POLLIN, 0});
    resolver.prepare(polls);
    relay.prepare(polls);
    if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) fail_errno("poll");
    relay.handle(polls);
    resolver.handle(polls);
    if ((polls[1].revents & POLLIN) != 0) {
      watch.handle();
    } else if (polls[1].revents != 0) {
      watched = false;  // nobody is left who could call; the keeper still takes their statuses
    }
    std::size_t at = 3;
    for (const auto& socket : command.dns_datagrams()) {
      if (polls[at++].revents != 0) resolver.take_datagram(socket.get());
    }
    for (const auto& socket : command.dns_streams()) {
      if (polls[at++].revents != 0) resolver.take_stream(socket.get());
    }
    for (std::size_t i = 0; i < command.listeners().size(); ++i) {
      if (polls[at++].revents != 0) relay.take(command.listeners()[i].get(), i);
    }
    if (polls[2].revents != 0) {
      if (const int came = end_signals.take(); came != 0) {
        signal = came;
        command.kill();
      }
    }
    if (polls[0].revents != 0) break;
  }
  result.status = command.wait();
  if (signal != 0) result.status = 128 + signal;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.mirror = relay.counts();
  result.used_doors = watch.used_doors();
  return result;
}

}  // namespace liftlock::offline
