#include "net/session.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "net/answer.hpp"
#include "net/incoming_request.hpp"
#include "net/live_answer.hpp"

namespace liftlock::net_detail {
namespace {

/// Unread bytes of a request that was refused are thrown away up to here, so that the peer gets to read the answer.
constexpr std::size_t k_max_discard = 4u << 20;
/// A live answer may take as long as whoever makes it lets it.
constexpr std::chrono::hours k_live_time{24};
/// Pipelined requests that are answered before other connections of the thread get their turn.
constexpr int k_requests_per_turn = 16;
/// What other servers log, too, where there was nobody left to answer.
constexpr int k_client_left = 499;

template <typename Transport>
class Session final : public SessionBase {
 public:
  Session(Worker& worker, std::string peer, std::shared_ptr<asio::ssl::context> tls)
      : SessionBase(worker), m_options(worker.shared.options), m_tls(std::move(tls)), m_in(worker, std::move(peer)) {}
  ~Session() override { m_watch->session = nullptr; }

  std::optional<Transport> transport;

  void cancel() override {
    boost::system::error_code ignored;
    transport->socket().cancel(ignored);
    stop_live();
  }
  void close() override {
    boost::system::error_code ignored;
    transport->socket().close(ignored);
    stop_live();
  }

  /// What a live answer waits for ends with operation_aborted.
  void stop_live() override {
    if (m_live_place) stopped->emit(asio::cancellation_type::terminal);
  }

  void watch_client() override {
    if (m_watch->waits) return;
    m_watch->waits = true;
    transport->socket().async_wait(Stream::socket::wait_read,
                                   [watch = m_watch](const boost::system::error_code& ended) {
                                     watch->waits = false;
                                     if (!ended && watch->session != nullptr) watch->session->look_at_client();
                                   });
  }

  asio::awaitable<void> run() {
    deadline.set(m_options.header_time);
    idle = true;
    const bool ready = co_await transport->handshake();
    idle = false;
    if (!ready) co_return;
    for (int served = 1;; ++served) {
      const auto refused = co_await read_request();
      if (m_gone) co_return;
      if (refused) {
        co_await refuse(*refused);
        co_return;
      }
      const bool more = co_await answer_request();
      if (!more) break;
      if (served % k_requests_per_turn == 0 && m_in.has_unread()) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      }
    }
    co_await transport->finish();
  }

 private:
  // -- reading

  /// Gets more bytes, at least one; sets m_gone at the end of the stream.
  asio::awaitable<void> read_more(std::size_t limit) {
    const auto room = m_in.room(limit);
    const auto got = co_await transport->read_some(room.data(), room.size());
    if (got == 0) m_gone = true;
    m_in.arrived(got);
  }

  /// A complete head and body, or why there is none. m_gone: there is nobody to answer.
  asio::awaitable<std::optional<Error>> read_request() {
    m_in.begin();
    bool begun = false;
    for (;;) {
      if (!begun && m_in.has_begun()) {
        begun = true;
        deadline.set(m_options.header_time);
      }
      bool is_head_here = false, is_whole = false;
      const auto take = [&] {
        is_head_here = m_in.take_head();
        if (!is_head_here) return;
        is_whole = !m_in.has_body() || (m_in.is_size_known() && !m_in.head().expects_continue && m_in.take_body());
      };
      if (auto refused = refusal_of(take)) co_return refused;
      if (is_whole) co_return std::nullopt;
      if (is_head_here) co_return co_await read_body();
      if (!begun) {
        if (m_worker.stopping) {
          m_gone = true;
          co_return std::nullopt;
        }
        idle = true;
        deadline.set(m_options.idle_time);
      }
      co_await read_more(m_options.max_header + 1024);
      idle = false;
      if (m_gone && begun && deadline.expired) {
        m_gone = false;
        co_return Error(ErrorCode::request_timeout, "the head of the request did not arrive in time");
      }
      if (m_gone) co_return std::nullopt;
    }
  }

  /// The rest of a body that is not here yet.
  asio::awaitable<std::optional<Error>> read_body() {
    if (m_in.head().expects_continue) {
      const bool sent = co_await transport->write("HTTP/1.1 100 Continue\r\n\r\n", {});
      if (!sent) m_gone = true;
    }
    bool is_whole = false;
    while (!m_gone && !is_whole) {
      if (auto refused = refusal_of([&] { is_whole = m_in.take_body(); })) co_return refused;
      if (m_in.keeps_pace()) deadline.set(m_options.header_time);
      if (!is_whole) co_await read_more(64u << 10);
    }
    if (is_whole || !m_gone || !deadline.expired) co_return std::nullopt;
    m_gone = false;
    co_return Error(ErrorCode::request_timeout, "the body of the request did not arrive in time");
  }

  template <typename Take>
  static std::optional<Error> refusal_of(Take&& take) {
    try {
      take();
    } catch (const Error& error) {
      return error;
    }
    return std::nullopt;
  }

  // -- answering

  HttpResponse call_handler() {
    try {
      return m_worker.shared.handler(m_in.request());
    } catch (const Error& error) {
      return problem_response(error);
    } catch (const std::exception& error) {
      return problem_response(Error(ErrorCode::internal, error.what()));
    }
  }

  /// False when the connection has to end.
  asio::awaitable<bool> answer_request() {
    deadline.set_stall(m_options.stall_time);
    auto response = call_handler();
    m_in.let_go_of_body();
    if (response.live) {
      co_return co_await answer_live(std::move(response.live), response.route, std::move(response.note));
    }
    const bool close_after = !m_in.head().keep_alive || m_worker.stopping || deadline.expired;
    const auto route = response.route;
    const auto note = std::move(response.note);
    const auto after = close_after ? Connection::close : Connection::keep;
    const bool sent = co_await send(std::move(response), after, route, note);
    co_return sent && !close_after && !deadline.expired;
  }

  void report(HttpExchange exchange, const HttpNote& note, Clock::time_point first) const {
    if (!m_options.observe) return;
    exchange.method = m_in.request().method;
    exchange.path = m_in.request().raw_path;
    exchange.peer = m_in.request().peer;
    exchange.id = m_in.request().id;
    exchange.note = &note;
    exchange.first = first - m_in.began();
    exchange.total = Clock::now() - m_in.began();
    m_options.observe(exchange);
  }

  asio::awaitable<bool> send(HttpResponse&& response, Connection connection, std::string_view route,
                             const HttpNote& note) {
    if (const auto id = m_in.request().id; !id.empty()) response.set("X-Request-Id", std::string(id));
    const auto first = Clock::now();
    const auto answer = make_answer(m_in.request(), std::move(response), connection, m_worker.date());
    bool sent = false;
    if (const auto* file = answer.file()) {
      sent = co_await transport->write_file(answer.head, file->file->get(), answer.offset, answer.size);
    } else {
      sent = co_await transport->write(answer.head, answer.text());
    }
    report({.route = route, .status = answer.status, .bytes_sent = sent ? answer.size : 0, .whole = sent}, note, first);
    co_return sent;
  }

  // -- answers that are made while the client waits

  /// Only while answer_live() runs.
  class Sink final : public AnswerSink {
   public:
    Sink(Session& session, std::string_view route, HttpNote note)
        : m_session(session), m_route(route), m_note(std::move(note)) {}

    asio::awaitable<void> respond(HttpResponse response) override {
      m_begun = true;
      m_session.deadline.set_stall(m_session.m_options.stall_time);
      m_whole = co_await m_session.send(std::move(response), m_session.connection(), m_route, m_note);
      m_reported = true;
      if (!m_whole) throw boost::system::system_error(asio::error::connection_reset);
      m_session.deadline.set(k_live_time);
    }

    asio::awaitable<void> begin(HttpResponse head) override {
      m_begun = true;
      m_streams = true;
      m_status = head.status;
      m_first = Clock::now();
      head.set("X-Request-Id", std::string(m_session.m_in.request().id));
      m_chunked = !m_session.m_in.head().is_http_1_0;
      const auto connection = m_chunked ? m_session.connection() : Connection::close;
      const auto bytes = make_stream_head(head, connection, m_session.m_worker.date(), m_chunked);
      co_await put(bytes, {});
    }

    asio::awaitable<void> write(std::string_view piece) override {
      if (piece.empty()) co_return;
      m_bytes += piece.size();
      if (!m_chunked) co_return co_await put({}, piece);
      m_piece.assign(piece);
      m_piece += "\r\n";
      const auto size = fmt::format("{:x}\r\n", piece.size());
      co_await put(size, m_piece);
    }

    /// Ends a stream that was made whole. @return whether the connection can serve another request
    asio::awaitable<bool> finish() {
      if (m_streams) {
        if (m_chunked) co_await put("0\r\n\r\n", {});
        report(Whole::yes);
      }
      co_return (m_whole || (m_streams && m_chunked)) && m_session.connection() == Connection::keep;
    }

    /// Of an answer that was cut off, or whose client left before it.
    void report_unfinished() {
      if (!m_reported) report(Whole::no);
    }

    bool begun() const { return m_begun; }
    const HttpNote& note() const { return m_note; }
    bool server_stops() const override { return m_session.m_worker.cuts_live; }

   private:
    enum class Whole : std::uint8_t { no, yes };

    void report(Whole whole) {
      m_reported = true;
      m_session.report({.route = m_route, .status = m_status, .bytes_sent = m_bytes, .whole = whole == Whole::yes},
                       m_note, m_streams ? m_first : Clock::now());
    }

    asio::awaitable<void> put(std::string_view head, std::string_view body) {
      m_session.deadline.set_stall(m_session.m_options.stall_time);
      const bool sent = co_await m_session.transport->write(head, body);
      if (!sent) throw boost::system::system_error(asio::error::connection_reset);
      m_session.deadline.set(k_live_time);
    }

    Session& m_session;
    std::string_view m_route;
    HttpNote m_note;
    std::string m_piece;
    Clock::time_point m_first;
    std::uint64_t m_bytes = 0;
    int m_status = k_client_left;
    bool m_begun = false, m_streams = false, m_chunked = false, m_whole = false, m_reported = false;
  };

  Connection connection() const {
    return m_in.head().keep_alive && !m_worker.stopping && !deadline.expired ? Connection::keep : Connection::close;
  }

  /// Its client did something while it waits for a live answer: it left, or it sent the next request already. That
  /// waits its turn, and the worker has us look again.
  void look_at_client() {
    if (!m_live_place) return;
    const int socket = transport->socket().native_handle();
    char byte = 0;
    const auto got = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    bool left = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    // Over TLS the last words of a client that leaves stay unread, and its end stands behind them.
    pollfd hung_up{.fd = socket, .events = POLLRDHUP, .revents = 0};
    if (m_options.tls && ::poll(&hung_up, 1, 0) > 0) left = true;
    if (left) stop_live();
  }

  /// In the coroutine of the session: an answer that is made at once costs no more than one that is not live.
  asio::awaitable<bool> answer_live(std::shared_ptr<LiveAnswer> live, std::string_view route, HttpNote note) {
    deadline.set(k_live_time);
    Sink sink(*this, route, std::move(note));
    std::optional<Error> problem;
    bool keep = false;
    m_live_place = m_worker.begin_live(this);
    // Only what has begun can say why it ends.
    if (m_worker.cuts_live) {
      asio::post(m_worker.context, [watch = m_watch] {
        if (watch->session != nullptr) watch->session->stop_live();
      });
    }
    try {
      co_await live->run(sink);
      keep = co_await sink.finish();
    } catch (const boost::system::system_error&) {
      keep = false;
    } catch (const Error& error) {
      problem = error;
    } catch (const std::exception& error) {
      problem = Error(ErrorCode::internal, error.what());
    }
    m_worker.end_live(*std::exchange(m_live_place, std::nullopt));
    co_await asio::this_coro::reset_cancellation_state();
    if (problem && !sink.begun()) {
      deadline.set_stall(m_options.stall_time);
      auto response = problem_response(*problem);
      const auto after = connection();
      const bool sent = co_await send(std::move(response), after, route, sink.note());
      co_return sent&& after == Connection::keep;
    }
    sink.report_unfinished();
    co_return keep && !problem;
  }

  /// Answers a request that cannot be served, and ends the connection without losing the answer to a reset.
  asio::awaitable<void> refuse(const Error& error) {
    deadline.expired = false;
    deadline.set_stall(std::chrono::seconds(2));
    m_in.forget_fields();
    std::optional<HttpResponse> response;
    if (m_options.refusal && !m_in.request().method.empty()) response = m_options.refusal(m_in.request().path, error);
    if (!response) response = problem_response(error);
    const auto route = response->route;
    const auto note = std::move(response->note);
    const bool sent = co_await send(std::move(*response), Connection::close, route, note);
    if (!sent) co_return;
    co_await transport->finish();
    deadline.set(std::chrono::seconds(2));
    if (!transport->socket().is_open() || m_tls) co_return;
    std::vector<char> unread(16u << 10);
    for (std::size_t discarded = 0; discarded < k_max_discard && !deadline.expired;) {
      const auto got = co_await transport->read_some(unread.data(), unread.size());
      if (got == 0) co_return;
      discarded += got;
    }
  }

  const HttpServerOptions& m_options;
  const std::shared_ptr<asio::ssl::context> m_tls;
  IncomingRequest m_in;
  /// Of a wait for the client to do something, which may outlive the answer that it was for, and the session.
  struct Watch {
    Session* session;
    bool waits = false;
  };
  const std::shared_ptr<Watch> m_watch = std::make_shared<Watch>(Watch{this});
  std::optional<Worker::LivePlace> m_live_place;  ///< while a live answer is made
  bool m_gone = false;
};

template <typename Transport>
asio::awaitable<void> keep_alive_while_running(std::unique_ptr<Session<Transport>> session) {
  co_await session->run();
}

template <typename Transport>
void spawn(Worker& worker, std::unique_ptr<Session<Transport>> session) {
  // Held by the handler, so that it outlives the coroutine.
  auto stopped = std::make_shared<asio::cancellation_signal>();
  session->stopped = stopped.get();
  const auto slot = stopped->slot();
  asio::co_spawn(worker.context, keep_alive_while_running(std::move(session)),
                 asio::bind_cancellation_slot(slot, [stopped = std::move(stopped)](const std::exception_ptr&) {}));
}

}  // namespace

void start_session(Worker& worker, Stream::socket socket, std::string peer, std::shared_ptr<asio::ssl::context> tls) {
  if (tls) {
    auto session = std::make_unique<Session<TlsTransport>>(worker, std::move(peer), tls);
    session->transport.emplace(std::move(socket), *tls, session->deadline);
    spawn(worker, std::move(session));
  } else {
    auto session = std::make_unique<Session<PlainTransport>>(worker, std::move(peer), nullptr);
    session->transport.emplace(std::move(socket), session->deadline);
    spawn(worker, std::move(session));
  }
}

}  // namespace liftlock::net_detail
