#include "offline/resolver.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "offline/dns.hpp"
#include "offline/socket_address.hpp"
#include "os/fd.hpp"

namespace liftlock::offline {
namespace {

constexpr std::size_t k_max_streams = 64;
constexpr std::size_t k_max_query = 4096;

std::uint16_t port_of(const sockaddr_storage& address, socklen_t size) {
  const auto given = parse_socket_address({reinterpret_cast<const std::uint8_t*>(&address), size});
  return given ? given->port : 0;
}

}  // namespace

struct Resolver::Stream {
  UniqueFd socket;
  std::uint16_t port = 0;
  std::string received;
};

Resolver::Resolver(std::map<std::string, std::vector<IpAddress>> known, CallWatch& watch, Attempts& attempts)
    : m_known(std::move(known)), m_watch(watch), m_attempts(attempts) {}

Resolver::~Resolver() = default;

std::string Resolver::answer(std::string_view query, std::uint16_t port) {
  const auto question = parse_dns_query(query);
  if (!question) return {};
  if (const auto found = m_known.find(question->name); found != m_known.end()) {
    return make_dns_answer(query, *question, &found->second);
  }
  if (question->name == "localhost" || question->name.ends_with(".localhost")) {
    static const std::vector<IpAddress> k_loopback = {*IpAddress::parse("127.0.0.1"), *IpAddress::parse("::1")};
    return make_dns_answer(query, *question, &k_loopback);
  }
  if (!is_own_reverse(question->name)) {
    if (const auto process = m_watch.who_asks(port); process != 0) {
      m_attempts.add(AttemptKind::name, process, question->name);
    } else {
      m_attempts.add_unknown(AttemptKind::name, question->name);
    }
  }
  return make_dns_answer(query, *question, nullptr);
}

void Resolver::take_datagram(int socket) {
  char query[k_max_query];
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  const auto got = ::recvfrom(socket, query, sizeof query, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &size);
  if (got <= 0) return;
  const auto text = answer({query, static_cast<std::size_t>(got)}, port_of(from, size));
  if (text.empty()) return;
  ::sendto(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&from), size);
}

void Resolver::take_stream(int listener) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  UniqueFd socket(::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (socket.valid() && m_streams.size() < k_max_streams) {
    m_streams.push_back({std::move(socket), port_of(from, size), {}});
  }
}

void Resolver::prepare(std::vector<pollfd>& polls) {
  m_first = polls.size();
  for (const auto& stream : m_streams) polls.push_back({stream.socket.get(), POLLIN, 0});
}

void Resolver::handle(const std::vector<pollfd>& polls) {
  auto at = m_first;
  for (auto stream = m_streams.begin(); stream != m_streams.end() && at < polls.size(); ++at) {
    bool over = false;
    if (polls[at].revents != 0) {
      char bytes[k_max_query];
      const auto got = ::recv(stream->socket.get(), bytes, sizeof bytes, 0);
      over = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
      if (got > 0) stream->received.append(bytes, static_cast<std::size_t>(got));
    }
    while (!over && stream->received.size() >= 2) {  // RFC 1035 §4.2.2: two bytes of length before each message
      const auto& received = stream->received;
      const auto size = static_cast<std::size_t>(static_cast<unsigned char>(received[0]) << 8 |
                                                 static_cast<unsigned char>(received[1]));
      if (received.size() < size + 2) break;
      auto text = answer(std::string_view(received).substr(2, size), stream->port);
      stream->received.erase(0, size + 2);
      if (text.empty()) over = true;
      text.insert(0, {static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)});
      over = over ||
             ::send(stream->socket.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size());
    }
    stream = over ? m_streams.erase(stream) : std::next(stream);
  }
}

bool is_own_reverse(std::string_view name) {
  static const std::string k_v6 = [] {
    std::string out = "1.";
    for (int i = 0; i < 31; ++i) out += "0.";
    return out + "ip6.arpa";
  }();
  return name == k_v6 || name.ends_with(".127.in-addr.arpa");
}

std::vector<std::string> own_names(std::string_view resolv_conf) {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return {};
  const auto host = to_lower(name);
  std::vector<std::string> out = {host};
  for (const auto line : split(resolv_conf, '\n')) {
    std::vector<std::string_view> words;
    std::string blanks(line);
    for (auto& c : blanks) c = c == '\t' ? ' ' : c;
    for (const auto word : split(blanks, ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.empty() || (words[0] != "search" && words[0] != "domain")) continue;
    for (std::size_t i = 1; i < words.size(); ++i) out.push_back(host + "." + to_lower(words[i]));
  }
  return out;
}

}  // namespace liftlock::offline
