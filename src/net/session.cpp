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
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "base/encoding.hpp"
#include "net/answer.hpp"
#include "net/chunked_body.hpp"
#include "net/live_answer.hpp"
#include "net/request_head.hpp"
#include "net/request_target.hpp"

namespace liftlock::net_detail {
namespace {

/// Unread bytes of a request that was refused are thrown away up to here, so that the peer gets to read the answer.
constexpr std::size_t k_max_discard = 4u << 20;
/// Clients of live answers that are under way are watched from then on; most answers that are short are there before.
constexpr std::chrono::milliseconds k_look_at_clients{50};
/// A live answer may take as long as whoever makes it lets it.
constexpr std::chrono::hours k_live_time{24};
/// A body up to here is read whoever sends it, and its buffer is kept.
constexpr std::uint64_t k_small_body = 64u << 10;
/// A larger one has as long as a head for each such piece of it.
constexpr std::size_t k_pace = 256u << 10;
/// Pipelined requests that are answered before other connections of the thread get their turn.
constexpr int k_requests_per_turn = 16;
/// What other servers log, too, where there was nobody left to answer.
constexpr int k_client_left = 499;

/// Of a client's X-Request-Id.
bool is_fit_for_log(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

template <typename Transport>
class Session final : public SessionBase {
 public:
  Session(Worker& worker, std::string peer, std::shared_ptr<asio::ssl::context> tls)
      : SessionBase(worker),
        m_options(worker.shared.options),
        m_peer(std::move(peer)),
        m_tls(std::move(tls)),
        m_share(worker.shared) {}
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
      if (served % k_requests_per_turn == 0 && m_begin < m_end) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      }
    }
    co_await transport->finish();
  }

 private:
  void prepare_request() {
    m_request.peer = m_peer;
    m_request.header = [this](std::string_view name) { return m_head.field(name); };
  }

  // -- reading

  std::string_view unread() const { return std::string_view(m_buffer).substr(m_begin, m_end - m_begin); }

  /// Gets more bytes, at least one; sets m_gone at the end of the stream.
  asio::awaitable<void> read_more(std::size_t limit) {
    if (m_begin > 0) {
      m_buffer.erase(0, m_begin);
      m_end -= m_begin;
      m_begin = 0;
    }
    if (m_buffer.size() - m_end < 1024) m_buffer.resize(std::min(limit, std::max<std::size_t>(4096, m_end * 2 + 1024)));
    const auto got = co_await transport->read_some(m_buffer.data() + m_end, m_buffer.size() - m_end);
    if (got == 0) m_gone = true;
    m_end += got;
  }

  /// A complete head and body, or why there is none. m_gone: there is nobody to answer.
  asio::awaitable<std::optional<Error>> read_request() {
    m_request = {};
    prepare_request();
    m_id.clear();
    m_began = Clock::now();
    std::size_t searched = 0;
    bool begun = false;
    for (;;) {
      while (m_begin < m_end && searched == 0 && (m_buffer[m_begin] == '\r' || m_buffer[m_begin] == '\n')) ++m_begin;
      if (m_begin < m_end && !begun) {
        begun = true;
        m_began = Clock::now();
        deadline.set(m_options.header_time);
      }
      const auto bytes = unread();
      const auto end = bytes.find("\r\n\r\n", searched > 3 ? searched - 3 : 0);
      if (auto refused = check_size(bytes, end)) co_return refused;
      if (end != std::string_view::npos) {
        auto refused = take_head(end + 4);
        if (refused || !has_body()) co_return refused;
        const bool is_here = !m_head.is_chunked && !m_head.expects_continue && take_body();
        if (is_here) co_return std::nullopt;
        co_return co_await read_body();
      }
      searched = bytes.size();
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

  std::optional<Error> check_size(std::string_view bytes, std::size_t end) const {
    if (!bytes.empty() && (bytes[0] < 'A' || bytes[0] > 'z')) {
      return Error(ErrorCode::bad_request, "this is not HTTP", "speak HTTP/1.1; https only where the server has TLS");
    }
    const bool line_ended = bytes.substr(0, k_max_target + 32).find("\r\n") != std::string_view::npos;
    if (!line_ended && bytes.size() > k_max_target + 32) {
      return Error(ErrorCode::target_too_long, fmt::format("the request line is longer than {} bytes", k_max_target));
    }
    const auto size = end == std::string_view::npos ? bytes.size() : end + 4;
    if (size > m_options.max_header) {
      return Error(ErrorCode::headers_too_large,
                   fmt::format("the head of the request is larger than {} bytes", m_options.max_header));
    }
    return std::nullopt;
  }

  /// Why the request is refused, if it is. Its body is not read yet.
  std::optional<Error> take_head(std::size_t size) {
    // The head is kept in a buffer of its own: reading a body would move the bytes that its views refer to.
    m_head_bytes.assign(m_buffer, m_begin, size);
    m_begin += size;
    m_body.clear();
    m_paced = 0;
    try {
      parse_request_head(m_head_bytes, m_head);
      take_target();
    } catch (const Error& error) {
      return error;
    }
    return has_body() ? why_no_body() : std::nullopt;
  }
  bool has_body() const { return m_head.is_chunked || m_head.content_length.value_or(0) > 0; }

  void take_target() {
    auto target = parse_request_target(m_head.target);
    if (!target && m_head.target.size() > k_max_target) {
      fail(ErrorCode::target_too_long, "the target is longer than {} bytes", k_max_target);
    }
    if (!target) fail(ErrorCode::bad_request, "the path of the request is malformed or leaves the root");
    m_target = std::move(*target);
    m_request.method = m_head.method;
    m_request.path = m_target.path;
    m_request.raw_path = m_target.raw_path;
    m_request.query = m_target.query;
    const auto given = m_head.field("X-Request-Id");
    m_id = is_fit_for_log(given) ? std::string(given) : m_worker.new_request_id();
    m_request.id = m_id;
  }

  /// What a request to this path may have.
  std::uint64_t most_body() const {
    return m_options.max_body ? m_options.max_body(m_request.method, m_request.path) : 0;
  }

  /// What is wrong with the body that the head tells of.
  std::optional<Error> why_no_body() {
    const auto wanted = m_head.content_length.value_or(0);
    const bool reads = m_head.method == "GET" || m_head.method == "HEAD";
    const auto most = most_body();
    if (most == 0 && !reads) {
      return Error(ErrorCode::method_not_allowed,
                   fmt::format("{} is not for this server", m_head.method.substr(0, 20)));
    }
    const auto encoding = m_head.field("Content-Encoding");
    const bool as_is = encoding.empty() || encoding == "identity";
    if (!as_is && !(m_options.reads_encoded && m_options.reads_encoded(m_request.path))) {
      return Error(ErrorCode::encoding_unsupported,
                   fmt::format("the body of the request is encoded as '{}'", printable(encoding.substr(0, 40))));
    }
    if (wanted > most || (m_head.is_chunked && most == 0)) {
      return Error(ErrorCode::body_too_large, fmt::format("the body of the request is larger than {} bytes", most));
    }
    if (m_options.admit && std::max(wanted, m_head.is_chunked ? k_small_body + 1 : 0) > k_small_body) {
      if (auto refused = m_options.admit(m_request)) return refused;
    }
    if (!m_share.grow(wanted)) return too_many_bodies();
    return std::nullopt;
  }

  /// The rest of a body that is not here yet.
  asio::awaitable<std::optional<Error>> read_body() {
    if (m_head.expects_continue) {
      const bool sent = co_await transport->write("HTTP/1.1 100 Continue\r\n\r\n", {});
      if (!sent) m_gone = true;
    }
    if (m_head.is_chunked) co_return co_await read_chunks(most_body());
    while (!m_gone && !take_body()) {
      co_await read_more(64u << 10);
    }
    co_return why_late();
  }

  /// Takes what is here of a body of a known length. Is it whole?
  bool take_body() {
    const auto wanted = *m_head.content_length;
    const auto part = std::min<std::size_t>(wanted - m_body.size(), m_end - m_begin);
    m_body.append(m_buffer, m_begin, part);
    m_begin += part;
    keep_pace();
    m_request.body = m_body;
    return m_body.size() == wanted;
  }

  /// A body that comes at a fair rate has time to come.
  void keep_pace() {
    if (m_body.size() < m_paced + k_pace) return;
    m_paced = m_body.size();
    deadline.set(m_options.header_time);
  }
  std::optional<Error> why_late() {
    if (!m_gone || !deadline.expired) return std::nullopt;
    m_gone = false;
    return Error(ErrorCode::request_timeout, "the body of the request did not arrive in time");
  }
  static Error too_many_bodies() {
    return {ErrorCode::overloaded, "too many large requests are on their way", "ask again in a moment"};
  }
  /// The handler took what it needs. A connection that idles keeps no large buffer.
  void let_go_of_body() {
    m_request.body = {};
    if (m_body.capacity() > k_small_body) std::string().swap(m_body);
    m_share.give_back();
  }

  asio::awaitable<std::optional<Error>> read_chunks(std::uint64_t most) {
    ChunkedBody chunks(most);
    std::optional<Error> refused;
    while (!m_gone && !chunks.is_done()) {
      if (m_begin == m_end) co_await read_more(64u << 10);
      try {
        m_begin += chunks.feed(unread(), m_body);
      } catch (const Error& error) {
        refused = error;
      }
      if (refused) co_return refused;
      if (!m_share.grow(m_body.size())) co_return too_many_bodies();
      keep_pace();
    }
    if (auto late = why_late()) co_return late;
    m_request.body = m_body;
    co_return std::nullopt;
  }

  // -- answering

  HttpResponse call_handler() {
    try {
      return m_worker.shared.handler(m_request);
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
    let_go_of_body();
    if (response.live) {
      co_return co_await answer_live(std::move(response.live), response.route, std::move(response.note));
    }
    const bool close_after = !m_head.keep_alive || m_worker.stopping || deadline.expired;
    const auto route = response.route;
    const auto note = std::move(response.note);
    const auto after = close_after ? Connection::close : Connection::keep;
    const bool sent = co_await send(std::move(response), after, route, note);
    co_return sent && !close_after && !deadline.expired;
  }

  void report(HttpExchange exchange, const HttpNote& note, Clock::time_point first) const {
    if (!m_options.observe) return;
    exchange.method = m_request.method;
    exchange.path = m_request.raw_path;
    exchange.peer = m_peer;
    exchange.id = m_id;
    exchange.note = &note;
    exchange.first = first - m_began;
    exchange.total = Clock::now() - m_began;
    m_options.observe(exchange);
  }

  asio::awaitable<bool> send(HttpResponse&& response, Connection connection, std::string_view route,
                             const HttpNote& note) {
    if (!m_id.empty()) response.set("X-Request-Id", m_id);
    const auto first = Clock::now();
    const auto answer = make_answer(m_request, std::move(response), connection, m_worker.date());
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
      head.set("X-Request-Id", m_session.m_id);
      m_chunked = !m_session.m_head.is_http_1_0;
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
    return m_head.keep_alive && !m_worker.stopping && !deadline.expired ? Connection::keep : Connection::close;
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
    m_head.fields.clear();
    std::optional<HttpResponse> response;
    if (m_options.refusal && !m_request.method.empty()) response = m_options.refusal(m_request.path, error);
    if (!response) response = problem_response(error);
    const auto route = response->route;
    const auto note = std::move(response->note);
    const bool sent = co_await send(std::move(*response), Connection::close, route, note);
    if (!sent) co_return;
    co_await transport->finish();
    deadline.set(std::chrono::seconds(2));
    if (!transport->socket().is_open() || m_tls) co_return;
    m_buffer.resize(16u << 10);
    for (std::size_t discarded = 0; discarded < k_max_discard && !deadline.expired;) {
      const auto got = co_await transport->read_some(m_buffer.data(), m_buffer.size());
      if (got == 0) co_return;
      discarded += got;
    }
  }

  const HttpServerOptions& m_options;
  const std::string m_peer;
  const std::shared_ptr<asio::ssl::context> m_tls;
  BodyShare m_share;
  std::size_t m_paced = 0;  ///< bytes of the body when its time was set
  /// Of a wait for the client to do something, which may outlive the answer that it was for, and the session.
  struct Watch {
    Session* session;
    bool waits = false;
  };
  const std::shared_ptr<Watch> m_watch = std::make_shared<Watch>(Watch{this});
  std::optional<Worker::LivePlace> m_live_place;  ///< while a live answer is made
  std::string m_buffer;
  std::size_t m_begin = 0, m_end = 0;  // the unread part of m_buffer
  std::string m_head_bytes, m_body, m_id;
  Clock::time_point m_began;  ///< the first byte of the request
  RequestHead m_head;
  RequestTarget m_target;
  HttpRequest m_request;
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

SessionBase::SessionBase(Worker& worker)
    : m_worker(worker), m_place(worker.sessions.insert(worker.sessions.end(), this)) {}

SessionBase::~SessionBase() {
  m_worker.sessions.erase(m_place);
  --m_worker.shared.connections;
}

std::string Worker::new_request_id() {
  return fmt::format("{:016x}", m_ids());
}

const std::string& Worker::date() {
  const auto second = std::time(nullptr);
  if (second != m_date_second) {
    std::tm parts{};
    ::gmtime_r(&second, &parts);
    char text[40];
    m_date.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    m_date_second = second;
  }
  return m_date;
}

void Worker::start_sweeping() {
  const auto shortest = std::min({shared.options.header_time, shared.options.idle_time, shared.options.stall_time});
  const auto period = std::max(std::min(std::chrono::milliseconds(1000), shortest / 4), std::chrono::milliseconds(10));
  sweep_timer.expires_after(period);
  sweep_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    const auto now = Clock::now();
    for (auto* session : sessions) {
      if (!session->deadline.passed(now)) continue;
      if (session->deadline.expired) {
        session->close();
        continue;
      }
      session->deadline.expired = true;
      session->deadline.set(std::chrono::seconds(2));
      session->cancel();
    }
    start_sweeping();
  });
}

void Worker::begin_stop() {
  stopping = true;
  for (auto* session : sessions) {
    if (session->idle) session->close();
  }
}

void Worker::cut_live() {
  cuts_live = true;
  for (auto* session : m_lives) session->stop_live();
}

Worker::LivePlace Worker::begin_live(SessionBase* session) {
  if (!m_looks_at_clients) look_at_clients();
  return m_lives.insert(m_lives.end(), session);
}

void Worker::end_live(LivePlace place) {
  m_lives.erase(place);
}

void Worker::look_at_clients() {
  m_looks_at_clients = true;
  m_client_timer.expires_after(k_look_at_clients);
  m_client_timer.async_wait([this](const boost::system::error_code& error) {
    m_looks_at_clients = false;
    if (error || m_lives.empty()) return;
    for (auto* session : m_lives) session->watch_client();
    look_at_clients();
  });
}

void Worker::close_all() {
  for (auto* session : sessions) {
    session->deadline.expired = true;
    session->close();
  }
}

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
