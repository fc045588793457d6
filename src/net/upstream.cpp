#include "net/upstream.hpp"

#include <algorithm>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <list>
#include <map>
#include <optional>

#include "base/error.hpp"

namespace liftlock {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t k_piece = 16u << 10;
/// Kept for one socket by one thread; what is more than that is closed.
constexpr std::size_t k_most_kept = 64;
/// llama-server closes a connection that is idle for 5 s: what is older than this is not worth a try.
constexpr std::chrono::seconds k_kept_for{4};

/// The kept connections of one thread's context; closed with it.
class Kept final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit Kept(asio::execution_context& context) : service(context) {}

  std::unique_ptr<Stream> take(const std::string& socket) {
    const auto found = m_streams.find(socket);
    if (found == m_streams.end()) return nullptr;
    auto& kept = found->second;
    while (!kept.empty() && Clock::now() - kept.front().since > k_kept_for) kept.pop_front();
    if (kept.empty()) {
      m_streams.erase(found);
      return nullptr;
    }
    auto stream = std::move(kept.back().stream);
    kept.pop_back();
    return stream;
  }

  void keep(const std::string& socket, std::unique_ptr<Stream> stream) {
    auto& kept = m_streams[socket];
    if (kept.size() >= k_most_kept) kept.pop_front();
    kept.push_back({std::move(stream), Clock::now()});
  }

 private:
  struct Entry {
    std::unique_ptr<Stream> stream;
    Clock::time_point since;
  };
  void shutdown() override { m_streams.clear(); }
  std::map<std::string, std::list<Entry>> m_streams;
};

}  // namespace

struct UpstreamExchange::Impl {
  using Parser = http::response_parser<http::buffer_body>;

  fs::path socket;
  UnixClientLimits limits;
  Clock::time_point end = Clock::now() + limits.total;
  Kept* kept = nullptr;
  std::unique_ptr<Stream> stream;
  std::optional<Parser> parser;
  beast::flat_buffer buffer;
  std::string piece = std::string(k_piece, '\0');

  Impl(fs::path path, UnixClientLimits given) : socket(std::move(path)), limits(given) {}

  std::string what() const { return socket.filename().string(); }

  void arm() {
    const auto left = end - Clock::now();
    if (left <= Clock::duration::zero()) fail(ErrorCode::network, "{}: the exchange took too long", what());
    stream->expires_after(std::min<Clock::duration>(left, limits.idle));
  }

  /// Cancellation stays what it is, so that it ends the whole coroutine.
  void check(const beast::error_code& error) const {
    if (!error) return;
    if (error == asio::error::operation_aborted) throw boost::system::system_error(error);
    if (error == beast::error::timeout) fail(ErrorCode::network, "{}: no answer in time", what());
    if (error == http::error::body_limit || error == http::error::header_limit) {
      fail(ErrorCode::limit_exceeded, "{}: the answer is larger than allowed", what());
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message ||
        error.category() == asio::error::get_system_category() ||
        error.category() == asio::error::get_misc_category()) {
      fail(ErrorCode::network, "{}: the answer ends early", what());
    }
    fail(ErrorCode::http_status, "{}: the answer is malformed: {}", what(), error.message());
  }

  void connect(const asio::any_io_executor& executor) {
    stream = std::make_unique<Stream>(executor);
    auto fd = connect_unix(socket);
    stream->socket().assign(asio::generic::stream_protocol(AF_UNIX, 0), fd.release());
  }

  asio::awaitable<beast::error_code> try_exchange(const std::string& head, const std::string& body, bool no_body) {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.max_header));
    parser->body_limit(limits.max_body);
    if (no_body) parser->skip(true);
    buffer.clear();
    beast::error_code error;
    arm();
    const std::array parts{asio::buffer(head), asio::buffer(body)};
    co_await asio::async_write(*stream, parts, asio::redirect_error(asio::use_awaitable, error));
    // An engine that refuses a body may say why before it has read it all.
    if (error == asio::error::operation_aborted) co_return error;
    arm();
    co_await http::async_read_header(*stream, buffer, *parser, asio::redirect_error(asio::use_awaitable, error));
    co_return error;
  }
};

UpstreamExchange::UpstreamExchange(fs::path socket, UnixClientLimits limits)
    : m_impl(std::make_unique<Impl>(std::move(socket), limits)) {}

UpstreamExchange::~UpstreamExchange() {
  auto& impl = *m_impl;
  const bool whole = impl.stream && impl.parser && impl.parser->is_done() && impl.parser->get().keep_alive();
  if (!whole || impl.buffer.size() > 0) return;
  impl.stream->expires_never();
  impl.kept->keep(impl.socket.string(), std::move(impl.stream));
}

asio::awaitable<UnixResponse> UpstreamExchange::send(const UnixRequest& request) {
  auto& impl = *m_impl;
  const auto executor = co_await asio::this_coro::executor;
  impl.kept = &asio::use_service<Kept>(asio::query(executor, asio::execution::context));
  const auto head = request_head(request, Keep::open);
  const bool no_body = request.method == "HEAD";
  impl.stream = impl.kept->take(impl.socket.string());
  const bool reused = impl.stream != nullptr;
  if (!reused) impl.connect(executor);
  auto error = co_await impl.try_exchange(head, request.body, no_body);
  if (error && reused && error != asio::error::operation_aborted && !impl.parser->got_some()) {
    impl.connect(executor);
    error = co_await impl.try_exchange(head, request.body, no_body);
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
    body.data = impl.piece.data();
    body.size = impl.piece.size();
    body.more = true;
    beast::error_code error;
    impl.arm();
    co_await http::async_read_some(*impl.stream, impl.buffer, *impl.parser,
                                   asio::redirect_error(asio::use_awaitable, error));
    if (error == http::error::need_buffer) error = {};
    impl.check(error);
    const auto got = impl.piece.size() - body.size;
    if (got > 0) co_return std::string_view(impl.piece).substr(0, got);
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
