// Inside of net: how connections to servers on other machines are made, and what their failures are called. Only
// upstream.cpp and upload.cpp include this header: it brings Boost.Asio in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/upstream.hpp"

namespace liftlock::net_detail {

using OutboundStream = boost::beast::basic_stream<asio::generic::stream_protocol>;

struct OutboundConnection {
  explicit OutboundConnection(const asio::any_io_executor& executor) : stream(executor) {}
  OutboundStream stream;
  std::optional<asio::ssl::stream<OutboundStream&>> tls;  ///< over the stream, where there is TLS
};

/// Connects to the first address of the server that is allowed, TLS included. The check is on what is connected to: a
/// name that resolves to another address the next time leads nowhere else.
/// @param what names the server in errors. @throws Error{network, tls_invalid}
asio::awaitable<void> connect_to(OutboundConnection& connection, const RemoteServer& remote,
                                 std::chrono::steady_clock::duration patience, std::string what);

/// Throws for what ended an exchange; cancellation stays what it is, so that it ends the whole coroutine.
/// @throws Error{network, limit_exceeded, http_status}
void check_exchange(const boost::system::error_code& error, const std::string& what);

/// request_head() of a request with a body of this many bytes that it does not hold.
std::string request_head_before(const UnixRequest& request, std::uint64_t body_size, std::string_view host);

}  // namespace liftlock::net_detail
