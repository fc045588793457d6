#include "net/upload.hpp"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>

#include "base/error.hpp"
#include "net/outbound.hpp"

namespace liftlock {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr std::size_t k_piece = 16u << 10;

/// The connection, and what comes from the other end while a body goes. Shared with the read that is pending: it may
/// end after the exchange did.
struct Heard : std::enable_shared_from_this<Heard> {
  Heard(const asio::any_io_executor& executor, std::size_t most)
      : connection(executor), buffer(most), told(executor, asio::steady_timer::time_point::max()) {}

  /// One read, which goes on while pieces are written.
  void listen() {
    const auto take = [self = shared_from_this()](const beast::error_code& error, std::size_t got) {
      self->buffer.commit(got);
      self->failure = error;
      self->is_over = true;
      self->connection.cancel();  // a piece that is not taken
      self->told.cancel();
    };
    const auto space = buffer.prepare(k_piece);
    if (connection.tls) {
      connection.tls->async_read_some(space, take);
    } else {
      connection.socket.async_read_some(space, take);
    }
  }

  net_detail::OutboundConnection connection;
  beast::flat_buffer buffer;
  asio::steady_timer told;    ///< waited on until is_over
  beast::error_code failure;  ///< of the read
  bool is_over = false;       ///< the read: something came, or nothing will
};

class Upload {
 public:
  Upload(const asio::any_io_executor& executor, const UnixClientLimits& limits, std::string what)
      : m_heard(std::make_shared<Heard>(executor, net_detail::most_unparsed(limits))),
        m_wait(executor),
        m_limits(limits),
        m_what(std::move(what)) {
    m_wait.watch(&m_heard->connection);
  }
  ~Upload() {
    beast::error_code ignored;
    m_heard->connection.socket.close(ignored);
  }
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;

  asio::awaitable<void> connect(const RemoteServer& server) {
    arm(m_limits.connect);
    co_await net_detail::connect_to(m_heard->connection, server, m_wait, m_what);
    m_heard->listen();
  }

  /// false when the other end does not take more, or answers already.
  asio::awaitable<bool> write(std::string_view text) {
    if (m_heard->is_over) co_return false;
    beast::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    arm(m_limits.idle);
    auto& connection = m_heard->connection;
    if (connection.tls) {
      co_await asio::async_write(*connection.tls, asio::buffer(text), token);
    } else {
      co_await asio::async_write(connection.socket, asio::buffer(text), token);
    }
    const bool is_answered = m_heard->is_over && !m_wait.timed_out();
    if (error == asio::error::operation_aborted && !is_answered) net_detail::check_exchange(error, m_wait, m_what);
    co_return !error && !m_heard->is_over;
  }

  asio::awaitable<UnixResponse> read() {
    http::response_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(m_limits.max_header));
    parser.body_limit(m_limits.max_body);
    beast::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    if (!m_heard->is_over) {
      arm(m_limits.first_byte.count() > 0 ? m_limits.first_byte : m_limits.idle);
      co_await m_heard->told.async_wait(token);
      if (!m_heard->is_over) net_detail::check_exchange(error, m_wait, m_what);
    }
    net_detail::check_exchange(m_heard->failure, m_wait, m_what);
    auto& connection = m_heard->connection;
    while (!parser.is_done()) {
      arm(m_limits.idle);
      if (connection.tls) {
        co_await http::async_read_some(*connection.tls, m_heard->buffer, parser, token);
      } else {
        co_await http::async_read_some(connection.socket, m_heard->buffer, parser, token);
      }
      net_detail::check_exchange(error, m_wait, m_what);
    }
    UnixResponse response;
    response.status = parser.get().result_int();
    for (const auto& field : parser.get().base())
      response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    response.body = std::move(parser.get().body());
    co_return response;
  }

 private:
  void arm(Clock::duration patience) {
    const auto when = Clock::now();
    if (when >= m_end) fail(ErrorCode::network, "{}: the exchange took too long", m_what);
    m_wait.arm(std::min(m_end, when + std::min<Clock::duration>(patience, std::chrono::hours(24 * 365))));
  }

  std::shared_ptr<Heard> m_heard;
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
