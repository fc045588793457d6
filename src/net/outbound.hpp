// Inside of net: how connections to servers on other machines are made, what their failures are called, and
// heads of requests. Only sources of the room include this header: it brings Boost.Asio's TLS in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <chrono>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>

#include "net/upstream.hpp"

namespace liftlock::net_detail {

using OutboundSocket = asio::generic::stream_protocol::socket;

struct OutboundConnection {
  explicit OutboundConnection(const asio::any_io_executor& executor) : socket(executor), lookup(executor) {}
  /// Ends what waits on it: asio::error::operation_aborted.
  void cancel() {
    boost::system::error_code ignored;
    socket.cancel(ignored);
    lookup.cancel(ignored);
  }
  OutboundSocket socket;
  asio::posix::stream_descriptor lookup;                  ///< tells that the name was looked up; open until then
  std::optional<asio::ssl::stream<OutboundSocket&>> tls;  ///< over the socket, where there is TLS
};

/// How long operations on one connection may take: after that they are cancelled. One timer of the thread's context
/// looks at all that run there, so that an operation ends up to 20 ms late; one of its own for each cost a request more
/// than its bytes do. For the context's own thread.
class OutboundWait {
 public:
  explicit OutboundWait(const asio::any_io_executor& executor);
  ~OutboundWait();
  OutboundWait(const OutboundWait&) = delete;
  OutboundWait& operator=(const OutboundWait&) = delete;

  /// nullptr: none
  void watch(OutboundConnection* connection) { m_connection = connection; }
  void arm(std::chrono::steady_clock::time_point until) {
    m_until = until;
    m_timed_out = false;
  }
  /// Did what was armed last take too long?
  bool timed_out() const { return m_timed_out; }

 private:
  friend class Waits;
  class Waits* m_waits;
  std::list<OutboundWait*>::iterator m_place;
  OutboundConnection* m_connection = nullptr;
  std::chrono::steady_clock::time_point m_until = std::chrono::steady_clock::time_point::max();
  bool m_timed_out = false;
};

/// Connects to the first address of the server that is allowed, TLS included. The check is on what is connected to: a
/// name that resolves to another address the next time leads nowhere else.
/// @param wait armed by the caller, and watching the connection
/// @param what names the server in errors. @throws Error{network, tls_invalid}
asio::awaitable<void> connect_to(OutboundConnection& connection, const RemoteServer& remote, const OutboundWait& wait,
                                 std::string what);

/// What an answer may have that was read and not parsed: its head, or one step of its body. What needs more, such as
/// a chunk's extension without an end, is refused: http::error::buffer_overflow.
inline std::size_t most_unparsed(const UnixClientLimits& limits) {
  return limits.max_header + (64u << 10);
}

/// Throws for what ended an exchange; cancellation stays what it is, so that it ends the whole coroutine.
/// @throws Error{network, limit_exceeded, http_status}
void check_exchange(const boost::system::error_code& error, const OutboundWait& wait, const std::string& what);

/// request_head() of a request with a body of this many bytes that it does not hold.
std::string request_head_before(const UnixRequest& request, std::uint64_t body_size, std::string_view host);

}  // namespace liftlock::net_detail
