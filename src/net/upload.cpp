#include "net/upload.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

#include "base/error.hpp"
#include "net/outbound.hpp"

namespace liftlock {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

class Upload {
 public:
  Upload(const asio::any_io_executor& executor, const UnixClientLimits& limits, std::string what)
      : m_connection(executor), m_wait(executor), m_limits(limits), m_what(std::move(what)) {
    m_wait.watch(&m_connection);
  }

  asio::awaitable<void> connect(const RemoteServer& server) {
    arm(m_limits.connect);
    co_await net_detail::connect_to(m_connection, server, m_wait, m_what);
  }

  /// false when the other end does not take more: its answer may say why.
  asio::awaitable<bool> write(std::string_view text) {
    beast::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    arm();
    if (m_connection.tls) {
      co_await asio::async_write(*m_connection.tls, asio::buffer(text), token);
    } else {
      co_await asio::async_write(m_connection.socket, asio::buffer(text), token);
    }
    if (error == asio::error::operation_aborted) net_detail::check_exchange(error, m_wait, m_what);
    co_return !error;
  }

  asio::awaitable<UnixResponse> read() {
    http::response_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(m_limits.max_header));
    parser.body_limit(m_limits.max_body);
    beast::flat_buffer buffer(net_detail::most_unparsed(m_limits));
    beast::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    arm();
    if (m_connection.tls) {
      co_await http::async_read(*m_connection.tls, buffer, parser, token);
    } else {
      co_await http::async_read(m_connection.socket, buffer, parser, token);
    }
    net_detail::check_exchange(error, m_wait, m_what);
    UnixResponse response;
    response.status = parser.get().result_int();
    for (const auto& field : parser.get().base())
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    response.body = std::move(parser.get().body());
    co_return response;
  }

 private:
  void arm() { arm(m_limits.idle); }
  void arm(Clock::duration patience) {
    const auto when = Clock::now();
    if (when >= m_end) fail(ErrorCode::network, "{}: the exchange took too long", m_what);
    m_wait.arm(std::min(m_end, when + std::min<Clock::duration>(patience, std::chrono::hours(24 * 365))));
  }

  net_detail::OutboundConnection m_connection;
  net_detail::OutboundWait m_wait;
  const UnixClientLimits& m_limits;
  std::string m_what;
  Clock::time_point m_end = Clock::now() + m_limits.total;
};

}  // namespace

asio::awaitable<UnixResponse> upload(const RemoteServer& server, const UnixRequest& request, RequestBody& body,
                                     const UnixClientLimits& limits) {
  const std::string what = "the endpoint";
  Upload exchange(co_await asio::this_coro::executor, limits, what);
  co_await exchange.connect(server);
  const auto size = body.size();
  bool takes = co_await exchange.write(net_detail::request_head_before(request, size, server.address.authority()));
  std::uint64_t sent = 0;
  while (takes) {
    const auto piece = body.next();
    if (piece.empty()) break;
    sent += piece.size();
    if (sent > size) fail(ErrorCode::internal, "a body is longer than it said");
    takes = co_await exchange.write(piece);
  }
  if (takes && sent != size) fail(ErrorCode::internal, "a body is shorter than it said");
  co_return co_await exchange.read();
}

}  // namespace liftlock
