#include "net/unix_client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/outbound.hpp"

namespace liftlock {
namespace {

constexpr std::chrono::milliseconds k_look_for_stop{100};

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr std::size_t k_piece = 64u << 10;

/// Non-blocking reads and writes with both time limits of the exchange.
class Wire {
 public:
  Wire(UniqueFd fd, const UnixClientLimits& limits, std::string what)
      : m_fd(std::move(fd)), m_limits(limits), m_end(Clock::now() + limits.total), m_what(std::move(what)) {}

  void write(std::string_view text) {
    while (!text.empty()) {
      const auto sent = ::send(m_fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        text.remove_prefix(static_cast<std::size_t>(sent));
        continue;
      }
      if (errno == EPIPE || errno == ECONNRESET) return;  // its answer may say why
      if (errno != EAGAIN && errno != EINTR) fail(ErrorCode::network, "{}: send: {}", m_what, std::strerror(errno));
      wait(POLLOUT);
    }
  }

  /// 0 at the end.
  std::size_t read(char* into, std::size_t size) {
    for (;;) {
      const auto got = ::recv(m_fd.get(), into, size, 0);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno == ECONNRESET) return 0;
      if (errno != EAGAIN && errno != EINTR) fail(ErrorCode::network, "{}: receive: {}", m_what, std::strerror(errno));
      wait(POLLIN);
    }
  }

 private:
  void wait(short events) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(m_end - Clock::now());
    const auto patience = std::min(left, m_limits.idle);
    if (patience.count() <= 0) fail(ErrorCode::network, "{}: the exchange took too long", m_what);
    const auto until = Clock::now() + patience;
    for (auto rest = patience; rest.count() > 0;
         rest = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now())) {
      if (m_limits.stop != nullptr && *m_limits.stop) fail(ErrorCode::network, "{}: stopped", m_what);
      const auto once = m_limits.stop == nullptr ? rest : std::min(rest, k_look_for_stop);
      pollfd poll_fd{m_fd.get(), events, 0};
      const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(once.count(), 1 << 30)));
      if (ready < 0 && errno != EINTR) fail_errno("poll");
      if (ready != 0) return;
    }
    fail(ErrorCode::network, "{}: no answer within {} ms", m_what, patience.count());
  }

  UniqueFd m_fd;
  const UnixClientLimits& m_limits;
  Clock::time_point m_end;
  std::string m_what;
};

bool is_clean(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
}

/// The parse of one answer: bytes in, head and pieces of the body out.
class Exchange {
 public:
  Exchange(Wire& wire, const UnixClientLimits& limits, std::string what)
      : m_wire(wire), m_most_unparsed(net_detail::most_unparsed(limits)), m_what(std::move(what)) {
    m_parser.header_limit(static_cast<std::uint32_t>(limits.max_header));
    m_parser.body_limit(limits.max_body);
  }

  UnixResponse read_head(bool has_no_body) {
    if (has_no_body) m_parser.skip(true);
    while (!m_parser.is_header_done()) {
      put();
      if (!m_parser.is_header_done()) fill();
    }
    UnixResponse head;
    head.status = m_parser.get().result_int();
    for (const auto& field : m_parser.get().base()) {
      head.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    return head;
  }

  /// The next piece; empty at the end.
  std::string_view read_piece() {
    while (!m_parser.is_done()) {
      auto& body = m_parser.get().body();
      body.data = m_piece.data();
      body.size = m_piece.size();
      body.more = true;
      put();
      const auto got = m_piece.size() - m_parser.get().body().size;
      if (got > 0) return {m_piece.data(), got};
      if (!m_parser.is_done()) fill();
    }
    return {};
  }

 private:
  void put() {
    if (m_pending.empty()) return;
    beast::error_code error;
    m_parser.eager(m_parser.is_header_done());
    const auto used = m_parser.put(boost::asio::buffer(m_pending.data(), m_pending.size()), error);
    m_pending.erase(0, used);
    if (error == http::error::need_more || error == http::error::need_buffer) return;
    if (error == http::error::body_limit || error == http::error::header_limit) {
      fail(ErrorCode::limit_exceeded, "{}: the answer is larger than allowed", m_what);
    }
    if (error) fail(ErrorCode::http_status, "{}: the answer is malformed: {}", m_what, error.message());
  }

  void fill() {
    if (m_pending.size() >= m_most_unparsed)
      fail(ErrorCode::limit_exceeded, "{}: the answer is larger than allowed", m_what);
    char buffer[16384];
    const auto got = m_wire.read(buffer, sizeof buffer);
    if (got > 0) {
      m_pending.append(buffer, got);
      return;
    }
    beast::error_code error;
    if (m_parser.got_some()) m_parser.put_eof(error);
    if (!m_parser.got_some() || error || !m_parser.is_done())
      fail(ErrorCode::network, "{}: the answer ends early", m_what);
  }

  Wire& m_wire;
  std::size_t m_most_unparsed;
  std::string m_what;
  http::response_parser<http::buffer_body> m_parser;
  std::string m_pending;
  std::vector<char> m_piece = std::vector<char>(k_piece);
};

std::string head_of(const UnixRequest& request, Keep keep, std::string_view host,
                    std::optional<std::uint64_t> body_size) {
  if (request.target.empty() || request.target[0] != '/' || !is_clean(request.target) ||
      request.target.find(' ') != std::string::npos || !is_clean(request.method)) {
    fail(ErrorCode::internal, "'{}' is no request-target", printable(request.target));
  }
  std::string head;
  head.reserve(256);
  const auto add = [&head](std::initializer_list<std::string_view> parts) {
    for (const auto part : parts) head += part;
  };
  add({request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host, "\r\n"});
  if (keep == Keep::close) add({"Connection: close\r\n"});
  for (const auto& [name, value] : request.headers) {
    if (!is_clean(name) || !is_clean(value)) fail(ErrorCode::internal, "the header '{}' is malformed", printable(name));
    add({name, ": ", value, "\r\n"});
  }
  if (body_size) add({"Content-Length: ", std::to_string(*body_size), "\r\n"});
  add({"\r\n"});
  return head;
}

}  // namespace

std::string request_head(const UnixRequest& request, Keep keep, std::string_view host) {
  const bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT";
  return head_of(request, keep, host, has_body ? std::optional<std::uint64_t>(request.body.size()) : std::nullopt);
}

std::string net_detail::request_head_before(const UnixRequest& request, std::uint64_t body_size,
                                            std::string_view host) {
  return head_of(request, Keep::close, host, body_size);
}

std::string_view UnixResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key.size() == name.size() && ::strncasecmp(key.data(), name.data(), key.size()) == 0) return value;
  }
  return {};
}

UniqueFd connect_unix(const fs::path& socket) {
  const UniqueFd place(::open(socket.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!place.valid()) fail(ErrorCode::network, "{}: {}", socket.string(), std::strerror(errno));
  if (!S_ISSOCK(stat_of(place.get(), socket.string()).st_mode)) {
    fail(ErrorCode::not_regular, "{} is no socket", socket.string());
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto path = fmt::format("/proc/self/fd/{}", place.get());
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) fail_errno("socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail(ErrorCode::network, "connect to {}: {}", socket.string(), std::strerror(errno));
  }
  return fd;
}

UnixClient::UnixClient(fs::path socket, UnixClientLimits limits) : m_socket(std::move(socket)), m_limits(limits) {}

void UnixClient::stream(const UnixRequest& request, const OnHead& on_head, const OnData& on_data) const {
  Wire wire(connect_unix(m_socket), m_limits, m_socket.string());
  wire.write(request_head(request, Keep::close));
  wire.write(request.body);
  Exchange exchange(wire, m_limits, m_socket.string());
  if (!on_head(exchange.read_head(request.method == "HEAD"))) return;
  for (;;) {
    const auto piece = exchange.read_piece();
    if (piece.empty() || !on_data(piece)) return;
  }
}

UnixResponse UnixClient::request(const UnixRequest& request) const {
  UnixResponse response;
  const auto take_head = [&](const UnixResponse& head) {
    response = head;
    return true;
  };
  const auto take_piece = [&](std::string_view piece) {
    if (response.body.size() + piece.size() > m_limits.max_body) {
      fail(ErrorCode::limit_exceeded, "{}: the answer is larger than allowed", m_socket.string());
    }
    response.body += piece;
    return true;
  };
  stream(request, take_head, take_piece);
  return response;
}

bool EventStream::feed(std::string_view piece, const std::function<bool(std::string_view)>& on_event) {
  while (!piece.empty()) {
    if (m_after_cr && piece[0] == '\n') {
      m_after_cr = false;
      piece.remove_prefix(1);
      continue;
    }
    m_after_cr = false;
    const auto end = piece.find_first_of("\r\n");
    m_line += piece.substr(0, end);
    if (m_line.size() + m_data.size() > m_max_event)
      fail(ErrorCode::limit_exceeded, "an event is larger than {} bytes", m_max_event);
    if (end == std::string_view::npos) return true;
    m_after_cr = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    const auto line = std::exchange(m_line, {});
    if (!take_line(line, on_event)) return false;
  }
  return true;
}

bool EventStream::take_line(std::string_view line, const std::function<bool(std::string_view)>& on_event) {
  if (line.empty()) {
    const bool complete = std::exchange(m_has_data, false);
    const auto data = std::exchange(m_data, {});
    return !complete || on_event(data);
  }
  const auto colon = line.find(':');
  if (line.substr(0, colon) != "data") return true;
  auto value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (m_has_data) m_data += '\n';
  m_data += value;
  m_has_data = true;
  return true;
}

}  // namespace liftlock
