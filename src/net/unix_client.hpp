// An HTTP/1.1 client for programs of this machine that listen on a Unix socket (engines). The other end is not trusted:
// everything it sends is bounded in size and time, and its socket is opened without following links.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

struct UnixRequest {
  std::string method = "GET";
  std::string target = "/";                                  ///< origin-form; no blanks or control bytes
  std::vector<std::pair<std::string, std::string>> headers;  ///< Host, Content-Length and Connection are set by us
  std::string body;
};

/// Request line and fields as they go over the wire. @throws Error{internal} for what would break out of its field
enum class Keep : std::uint8_t { close, open };
std::string request_head(const UnixRequest& request, Keep keep, std::string_view host = "localhost");

struct UnixResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// The first header of that name, in any case; empty when absent.
  std::string_view header(std::string_view name) const;
};

struct UnixClientLimits {
  std::uint64_t max_header = 16u << 10;
  std::uint64_t max_body = 64u << 20;
  std::chrono::milliseconds connect{5'000};    ///< to another machine, TLS included
  std::chrono::milliseconds idle{120'000};     ///< without a byte moving, either way
  std::chrono::milliseconds first_byte{0};     ///< of the answer, after the request was sent; 0: as idle
  std::chrono::milliseconds total{3'600'000};  ///< for the whole exchange
  const std::atomic<bool>* stop = nullptr;     ///< looked at while waiting; true: Error{network} soon after
};

/// Connects for each request anew; may be used by several threads at once.
class UnixClient {
 public:
  explicit UnixClient(fs::path socket, UnixClientLimits limits = {});

  /// The whole answer, whatever its status.
  /// @throws Error{network} when nobody listens, the answer ends early or takes too long, Error{limit_exceeded},
  ///         Error{http_status} when the answer is malformed, Error{not_regular} when the path is no socket
  UnixResponse request(const UnixRequest& request) const;

  /// The answer as it comes (server-sent events). on_head is told status and headers first; on_data each piece of the
  /// body, with transfer encoding removed. Returning false from either ends the exchange without an error.
  using OnHead = std::function<bool(const UnixResponse& head)>;
  using OnData = std::function<bool(std::string_view piece)>;
  void stream(const UnixRequest& request, const OnHead& on_head, const OnData& on_data) const;

 private:
  fs::path m_socket;
  UnixClientLimits m_limits;
};

/// A connected stream socket: opened with O_PATH|O_NOFOLLOW, insisted on S_ISSOCK, connected through /proc/self/fd, so
/// that a link or another file put in its place between check and use leads nowhere. Non-blocking.
/// @throws Error{network, not_regular}
UniqueFd connect_unix(const fs::path& socket);

/// Cuts a body of server-sent events (WHATWG HTML §9.2) into the values of its data fields.
class EventStream {
 public:
  /// @param max_event more bytes in one event is Error{limit_exceeded}
  explicit EventStream(std::uint64_t max_event = 4u << 20) : m_max_event(max_event) {}
  /// Calls on_event for each event that is complete with this piece; false from it ends early. @return what it said
  /// last
  bool feed(std::string_view piece, const std::function<bool(std::string_view data)>& on_event);

 private:
  bool take_line(std::string_view line, const std::function<bool(std::string_view)>& on_event);
  std::uint64_t m_max_event;
  std::string m_line;
  std::string m_data;
  bool m_has_data = false;
  bool m_after_cr = false;
};

}  // namespace liftlock
