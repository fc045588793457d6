#include "net/upstream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <list>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "net/outbound.hpp"
#include "net/tls.hpp"

namespace liftlock {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using net_detail::connect_to;
using net_detail::OutboundWait;
using Clock = std::chrono::steady_clock;

constexpr std::size_t k_piece = 16u << 10;
/// Kept for one socket by one thread; what is more than that is closed.
constexpr std::size_t k_most_kept = 64;
/// llama-server closes a connection that is idle for 5 s: what is older than this is not worth a try.
constexpr std::chrono::seconds k_kept_for{4};

struct Connection : net_detail::OutboundConnection {
  using OutboundConnection::OutboundConnection;
  beast::flat_buffer buffer;  ///< what was read and not taken yet
  const std::unique_ptr<char[]> piece{new char[k_piece]};
};

/// The kept connections of one thread's context; closed with it.
class Kept final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Kept(asio::execution_context& context) : service(context) {}

  std::unique_ptr<Connection> take(const std::string& place) {
    const auto found = m_connections.find(place);
    if (found == m_connections.end()) return nullptr;
    auto& kept = found->second;
    while (!kept.empty() && Clock::now() - kept.front().since > k_kept_for) kept.pop_front();
    if (kept.empty()) {
      m_connections.erase(found);
      return nullptr;
    }
    auto connection = std::move(kept.back().connection);
    kept.pop_back();
    return connection;
  }

  void keep(const std::string& place, std::unique_ptr<Connection> connection) {
    forget_old();  // engines that ended have left their places for good
    auto& kept = m_connections[place];
    if (kept.size() >= k_most_kept) kept.pop_front();
    kept.push_back({std::move(connection), Clock::now()});
  }

 private:
  struct Entry {
    std::unique_ptr<Connection> connection;
    Clock::time_point since;
  };
  void shutdown() override { m_connections.clear(); }
  void forget_old() {
    const auto when = Clock::now();
    if (when - m_looked < k_kept_for) return;
    m_looked = when;
    for (auto at = m_connections.begin(); at != m_connections.end();) {
      auto& kept = at->second;
      while (!kept.empty() && when - kept.front().since > k_kept_for) kept.pop_front();
      at = kept.empty() ? m_connections.erase(at) : std::next(at);
    }
  }
  Clock::time_point m_looked{};
  std::map<std::string, std::list<Entry>> m_connections;
};

/// Where connections are told apart; two pools may trust different certificates for one address.
std::string place_of(const Upstream& upstream) {
  if (const auto* socket = std::get_if<fs::path>(&upstream)) return socket->string();
  const auto& remote = std::get<RemoteServer>(upstream);
  return fmt::format("{} {}", remote.address.text(), static_cast<const void*>(remote.tls.get()));
}

std::string name_of(const Upstream& upstream) {
  if (const auto* socket = std::get_if<fs::path>(&upstream)) return socket->filename().string();
  return "the endpoint";  // who asked knows which; clients, who hear of failures, need not
}

}  // namespace

struct UpstreamExchange::Impl {
  using Parser = http::response_parser<http::buffer_body>;

  const Upstream upstream;
  const std::string place = place_of(upstream);
  UnixClientLimits limits;
  Clock::time_point end = Clock::now() + limits.total;
  Kept* kept = nullptr;
  std::unique_ptr<Connection> connection;
  std::optional<OutboundWait> wait;
  std::optional<Parser> parser;
  bool sent = false;

  Impl(Upstream where, UnixClientLimits given) : upstream(std::move(where)), limits(given) {}
  std::string what() const { return name_of(upstream); }

  void use(std::unique_ptr<Connection> one) {
    connection = std::move(one);
    wait->watch(connection.get());
  }

  void arm(Clock::duration patience) {
    const auto when = Clock::now();
    if (when >= end) fail(ErrorCode::network, "{}: the exchange took too long", what());
    wait->arm(std::min(end, when + std::min<Clock::duration>(patience, std::chrono::hours(24 * 365))));
  }

  void check(const beast::error_code& error) const {
    if (error) net_detail::check_exchange(error, *wait, what());
  }

  asio::awaitable<void> connect(const asio::any_io_executor& executor) {
    use(std::make_unique<Connection>(executor));
    if (const auto* socket = std::get_if<fs::path>(&upstream)) {
      auto fd = connect_unix(*socket);
      connection->socket.assign(asio::generic::stream_protocol(AF_UNIX, 0), fd.release());
      co_return;
    }
    const auto& remote = std::get<RemoteServer>(upstream);
    arm(limits.connect);
    co_await connect_to(*connection, remote, *wait, what());
  }

  /// As much as the socket takes at once: nearly always all of it.
  std::size_t send_at_once(const std::string& head, const std::string& body) const {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(body.data()), body.size()}};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    const auto put = ::sendmsg(connection->socket.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return put < 0 ? 0 : static_cast<std::size_t>(put);
  }

  asio::awaitable<beast::error_code> write(const std::string& head, const std::string& body) {
    beast::error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    auto done = connection->tls ? 0 : send_at_once(head, body);
    if (done == head.size() + body.size()) co_return error;
    const auto of_head = std::min(done, head.size());
    const std::array rest{asio::buffer(head) + of_head, asio::buffer(body) + (done - of_head)};
    if (connection->tls) {
      co_await asio::async_write(*connection->tls, rest, token);
    } else {
      co_await asio::async_write(connection->socket, rest, token);
    }
    co_return error;
  }

  /// Reads, and gives the parser what came, until it has one step more of the answer.
  asio::awaitable<beast::error_code> step() {
    auto& buffer = connection->buffer;
    beast::error_code error;
    for (bool read = buffer.size() == 0;; read = true) {
      if (read) {
        auto token = asio::redirect_error(asio::use_awaitable, error);
        const auto room = buffer.max_size() - buffer.size();
        if (room == 0) co_return http::error::buffer_overflow;
        const auto space = buffer.prepare(std::min(k_piece, room));
        std::size_t got = 0;
        if (connection->tls) {
          got = co_await connection->tls->async_read_some(space, token);
        } else {
          got = co_await connection->socket.async_read_some(space, token);
        }
        buffer.commit(got);
        if (error == asio::error::eof) {
          error = {};
          if (!parser->got_some()) co_return http::error::end_of_stream;
          parser->put_eof(error);
          co_return error;
        }
        if (error) co_return error;
      }
      buffer.consume(parser->put(buffer.data(), error));
      if (error != http::error::need_more) co_return error;
      error = {};
    }
  }

  asio::awaitable<beast::error_code> try_exchange(const std::string& head, const std::string& body, bool no_body,
                                                  const std::function<void()>& meanwhile) {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.max_header));
    parser->body_limit(limits.max_body);
    if (no_body) parser->skip(true);
    connection->buffer.clear();
    connection->buffer.max_size(net_detail::most_unparsed(limits));
    sent = true;
    arm(limits.idle);
    auto error = co_await write(head, body);
    // An engine that refuses a body may say why before it has read it all.
    if (error == asio::error::operation_aborted) co_return error;
    if (meanwhile) meanwhile();
    arm(limits.first_byte.count() > 0 ? limits.first_byte : limits.idle);
    do {
      error = co_await step();
    } while (!error && !parser->is_header_done());
    co_return error;
  }
};

ClientTls make_client_tls(const fs::path& ca_file) {
  return std::make_shared<asio::ssl::context>(make_client_context(ca_file).release());
}

UpstreamExchange::UpstreamExchange(Upstream upstream, UnixClientLimits limits)
    : m_impl(std::make_unique<Impl>(std::move(upstream), limits)) {}

UpstreamExchange::~UpstreamExchange() {
  auto& impl = *m_impl;
  const bool whole = impl.connection && impl.parser && impl.parser->is_done() && impl.parser->get().keep_alive();
  if (!whole || impl.wait->timed_out() || impl.connection->buffer.size() > 0) return;
  impl.kept->keep(impl.place, std::move(impl.connection));
}

bool UpstreamExchange::was_sent() const {
  return m_impl->sent;
}

asio::awaitable<UnixResponse> UpstreamExchange::send(const UnixRequest& request, std::function<void()> meanwhile) {
  auto& impl = *m_impl;
  const auto executor = co_await asio::this_coro::executor;
  impl.kept = &asio::use_service<Kept>(asio::query(executor, asio::execution::context));
  impl.wait.emplace(executor);
  const auto* remote = std::get_if<RemoteServer>(&impl.upstream);
  const auto head = remote == nullptr ? request_head(request, Keep::open)
                                      : request_head(request, Keep::open, remote->address.authority());
  const bool no_body = request.method == "HEAD";
  impl.use(impl.kept->take(impl.place));
  const bool reused = impl.connection != nullptr;
  if (!reused) co_await impl.connect(executor);
  auto error = co_await impl.try_exchange(head, request.body, no_body, meanwhile);
  if (error && reused && error != asio::error::operation_aborted && !impl.parser->got_some()) {
    co_await impl.connect(executor);
    error = co_await impl.try_exchange(head, request.body, no_body, meanwhile);
  }
  impl.check(error);
  UnixResponse response;
  response.status = impl.parser->get().result_int();
  for (const auto& field : impl.parser->get().base()) {
    response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
  }
  co_return response;
}

asio::awaitable<std::string_view> UpstreamExchange::read() {
  auto& impl = *m_impl;
  while (!impl.parser->is_done()) {
    auto& body = impl.parser->get().body();
    body.data = impl.connection->piece.get();
    body.size = k_piece;
    body.more = true;
    impl.arm(impl.limits.idle);
    auto error = co_await impl.step();
    if (error == http::error::need_buffer) error = {};
    impl.check(error);
    const auto got = k_piece - body.size;
    if (got > 0) co_return std::string_view(impl.connection->piece.get(), got);
  }
  co_return std::string_view();
}

asio::awaitable<std::string> UpstreamExchange::read_all() {
  std::string all;
  for (;;) {
    const auto part = co_await read();
    if (part.empty()) co_return all;
    all += part;
  }
}

}  // namespace liftlock
