#include "offline/mirror_relay.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/shown_path.hpp"
#include "offline/socket_address.hpp"

namespace liftlock::offline {
namespace {

constexpr std::size_t k_buffer = 64u << 10;
constexpr std::size_t k_max_pairs = 512;

/// One direction: what was read and not written yet.
struct Flow {
  std::array<char, k_buffer> bytes;
  std::size_t begin = 0, end = 0;
  bool ended = false;     ///< nothing more will be read
  bool finished = false;  ///< and the other side was told
  bool empty() const { return begin == end; }
};

/// false: the connection is broken.
bool read_into(int fd, Flow& flow) {
  flow.begin = flow.end = 0;
  const auto got = ::recv(fd, flow.bytes.data(), flow.bytes.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  flow.ended = got == 0;
  flow.end = static_cast<std::size_t>(got);
  return true;
}

bool write_from(Flow& flow, int fd) {
  if (!flow.empty()) {
    const auto put = ::send(fd, flow.bytes.data() + flow.begin, flow.end - flow.begin, MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR;
    flow.begin += static_cast<std::size_t>(put);
  }
  if (flow.empty() && flow.ended && !flow.finished) {
    ::shutdown(fd, SHUT_WR);
    flow.finished = true;
  }
  return true;
}

void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

struct MirrorRelay::Pair {
  UniqueFd inner, outer;
  bool connected = false, broken = false;
  Flow up, down;  ///< to the mirror, from the mirror
  std::optional<HttpCounter> counter;
};

MirrorRelay::MirrorRelay(std::vector<Endpoint> destinations, Wire wire)
    : m_destinations(std::move(destinations)), m_wire(wire) {}

MirrorRelay::~MirrorRelay() = default;

void MirrorRelay::take(int listener, std::size_t index) {
  UniqueFd inner(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!inner.valid()) return;
  ++m_counts.connections;
  sockaddr_storage address{};
  const auto& to = m_destinations.at(index);
  const auto size = to_socket_address(to.address, to.port, address);
  UniqueFd outer(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (m_pairs.size() >= k_max_pairs || !outer.valid() ||
      (::connect(outer.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)) {
    ++m_counts.failed_connections;
    return;
  }
  no_delay(inner.get()), no_delay(outer.get());
  auto& pair = m_pairs.emplace_back();
  pair.inner = std::move(inner), pair.outer = std::move(outer);
  if (m_wire == Wire::tls) {
    m_counts.answers_known = false;
    return;
  }
  pair.counter.emplace([this](std::string_view asked, int status) {
    const auto target = shown_path(asked);
    if (status == 404 || status == 410 || status == 451) {
      ++m_counts.misses;
      if (m_counts.missed.size() < MirrorCounts::k_max_missed || m_counts.missed.contains(target)) {
        ++m_counts.missed[target];
      }
    } else if (status >= 400) {
      ++m_counts.errors;
    } else {
      ++m_counts.hits;
    }
  });
}

void MirrorRelay::prepare(std::vector<pollfd>& polls) {
  m_first = polls.size();
  for (auto& pair : m_pairs) {
    short inner = 0, outer = 0;
    if (!pair.connected) {
      outer = POLLOUT;
    } else {
      if (pair.up.empty() && !pair.up.ended) inner |= POLLIN;
      if (!pair.up.empty()) outer |= POLLOUT;
      if (pair.down.empty() && !pair.down.ended) outer |= POLLIN;
      if (!pair.down.empty()) inner |= POLLOUT;
    }
    // Of a socket that is asked nothing, poll(2) still tells that it hung up, at once and for ever.
    polls.push_back({inner != 0 ? pair.inner.get() : -1, inner, 0});
    polls.push_back({outer != 0 ? pair.outer.get() : -1, outer, 0});
  }
}

void MirrorRelay::pump(Pair& pair, short inner_events, short outer_events) {
  if (!pair.connected) {
    if ((outer_events & (POLLOUT | POLLERR | POLLHUP)) == 0) return;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(pair.outer.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    pair.connected = error == 0, pair.broken = error != 0;
    if (error != 0) ++m_counts.failed_connections;
    return;
  }
  if ((inner_events & (POLLIN | POLLHUP | POLLERR)) != 0 && pair.up.empty() && !pair.up.ended) {
    pair.broken = !read_into(pair.inner.get(), pair.up);
    m_counts.sent += pair.up.end - pair.up.begin;
    if (pair.counter) pair.counter->client_sent({pair.up.bytes.data(), pair.up.end});
  }
  if ((outer_events & (POLLIN | POLLHUP | POLLERR)) != 0 && pair.down.empty() && !pair.down.ended) {
    pair.broken = pair.broken || !read_into(pair.outer.get(), pair.down);
    m_counts.received += pair.down.end - pair.down.begin;
    if (pair.counter) pair.counter->server_sent({pair.down.bytes.data(), pair.down.end});
  }
  pair.broken = pair.broken || !write_from(pair.up, pair.outer.get()) || !write_from(pair.down, pair.inner.get());
}

void MirrorRelay::handle(const std::vector<pollfd>& polls) {
  auto at = m_first;
  for (auto pair = m_pairs.begin(); pair != m_pairs.end() && at + 1 < polls.size(); at += 2) {
    pump(*pair, polls[at].revents, polls[at + 1].revents);
    if (pair->counter && !pair->counter->understood()) m_counts.answers_known = false;
    const bool over = pair->broken || (pair->up.finished && pair->down.finished);
    pair = over ? m_pairs.erase(pair) : std::next(pair);
  }
}

}  // namespace liftlock::offline
