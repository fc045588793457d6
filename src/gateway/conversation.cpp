#include "gateway/conversation.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "engine/named_models.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/engine_answer.hpp"
#include "gateway/prompt_size.hpp"
#include "gateway/reply.hpp"
#include "os/file.hpp"
#include "record/retention.hpp"

namespace liftlock {
namespace {

using Clock = std::chrono::steady_clock;
using Leased = std::variant<std::shared_ptr<engine::Lease>, Error>;
using Heard = std::variant<engine::Transcribed, Error>;
using Durable = std::optional<Error>;

std::int64_t milliseconds(Clock::duration time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

/// The host looks after its engines more often than that.
constexpr std::chrono::milliseconds k_before_second_try{500};

/// A longer prompt is not kept twice while an engine thinks.
constexpr std::size_t k_most_sealed_early = 256u << 10;

/// What failed is told to clients, and names the engine's socket by its path.
std::string words_without_paths(const Error& error) {
  return error.code() == ErrorCode::network ? "the engine ended before it answered" : error.message();
}

class Conversation final : public LiveAnswer {
 public:
  Conversation(ConversationParts parts, ConversationRequest request)
      : m_parts(std::move(parts)),
        m_request(std::move(request)),
        m_prompt(m_request.order.dump(m_request.engine.body)) {}

  // The client is gone, or the server stops: what was said until now stays on record.
  ~Conversation() override {
    if (m_ticket) m_parts.host.cancel(*m_ticket);
    if (m_recording) m_parts.speech.cancel(*m_recording);
    if (m_ended) return;
    end("client-gone");
    if (m_is_closing) return;  // it is on its way into the record, as the answer that it was
    const auto ignore = [](const Durable&) {};
    try {
      if (m_record) {
        m_record->close(outcome("client-gone", {}), ignore);
      } else {
        m_parts.book.write(seal(), "", outcome("client-gone", {}), ignore);
      }
    } catch (const Error&) {
      // The book remembers that it failed, and refuses whoever comes next.
    }
  }

  asio::awaitable<void> run(AnswerSink& sink) override {
    std::optional<Error> failed;
    try {
      if (m_request.listening) {
        co_await listen(sink);
      } else {
        co_await converse(sink);
      }
    } catch (const boost::system::system_error&) {
      if (!sink.server_stops()) throw;  // the client is gone
      failed = Error(ErrorCode::engine_unavailable, "the server is stopping", "ask again when it is back");
    } catch (const Error& error) {
      failed = error;
    } catch (const std::exception& error) {
      failed = Error(ErrorCode::internal, error.what());
    }
    if (!failed) co_return;
    co_await asio::this_coro::reset_cancellation_state();
    co_await tell(sink, *failed);
  }

 private:
  asio::awaitable<void> converse(AnswerSink& sink) {
    // Nothing of an answer has left yet: an engine that died is worth a second try (the host starts another) unless
    // this request was what it died of, and so is another endpoint.
    for (int attempt = 1;; ++attempt) {
      if (m_request.model.remote == nullptr) {
        co_await take_lease();
      } else {
        take_seat();
      }
      UpstreamExchange upstream(m_seat ? Upstream(m_seat->server()) : Upstream(m_lease->socket()),
                                m_seat ? m_seat->limits() : m_parts.limits);
      std::optional<Error> failed;
      UnixResponse answer;
      try {
        const auto request = request_to_send();
        const engine::Lease::Wait waits(m_lease.get());
        answer = co_await upstream.send(request, [this] { seal_prompt(); });
        m_is_heard = answer.status == 200;
        if (answer.status != 200) {
          const auto body = co_await upstream.read_all();
          failed = engine_refusal(answer.status, body);
        }
      } catch (const Error& error) {
        failed = error;
      }
      if (!failed) {
        co_await pass_on(sink, upstream);
        co_return;
      }
      if (m_seat) {
        leave_seat(answer.status, *failed, upstream.was_sent());
        continue;
      }
      m_answered = answer.status != 0;
      if (m_answered) throw *failed;
      // Until the host has seen that it is dead it would lease the same one again, nor does it know whose fault it was.
      m_lease->give_up();
      asio::steady_timer pause(co_await asio::this_coro::executor, k_before_second_try);
      co_await pause.async_wait(asio::use_awaitable);
      const bool is_to_blame = upstream.was_sent() && m_lease->is_to_blame();
      m_lease.reset();
      if (attempt == 2 || is_to_blame) {
        throw Error(ErrorCode::engine_failed, words_without_paths(*failed), std::string(engine::k_where_its_words_are));
      }
    }
  }

  /// For the record, while the engine is at it.
  void seal_prompt() {
    if (m_request.record_mode == RecordMode::off || m_prompt.size() > k_most_sealed_early) return;
    try {
      m_sealed = seal();
    } catch (const Error&) {
      m_sealed.reset();  // whoever needs it next is told
    }
  }
  SealedPrompt seal() const {
    const auto& listening = m_request.listening;
    std::string recording;
    // What was refused, or found no place in the queue, was heard by no model.
    if (listening && listening->is_kept && !m_digest.empty())
      recording = read_all(listening->recording->fd(), engine::k_max_recording, "the recording");
    return m_parts.book.seal(head(), m_prompt, m_request.record_mode, recording);
  }
  SealedPrompt sealed_prompt() {
    if (!m_sealed) return seal();
    auto sealed = std::move(*m_sealed);
    m_sealed.reset();
    return sealed;
  }

  UnixRequest request_to_send() const {
    if (m_seat) return m_seat->request(m_request.call->path, m_request.order.dump(m_request.call->body));
    UnixRequest request;
    request.method = "POST";
    request.target = m_request.engine.path;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = m_prompt;
    return request;
  }

  void take_seat() {
    try {
      m_seat = m_parts.pools.seat(*m_request.model.remote, m_left);
    } catch (const Error&) {
      if (m_refused) throw *m_refused;  // by one that was asked: that says more
      throw;
    }
    m_engine = m_seat->text();
    m_ready = Clock::now();
  }

  /// @param status 0: there was no answer. @throws the failure when no other endpoint shall be asked
  void leave_seat(int status, const Error& failure, bool was_sent) {
    if (was_sent) {
      const auto told = status == 0 ? Error(ErrorCode::engine_failed, words_without_paths(failure)) : failure;
      // What one endpoint could not answer may be the request's fault: a second one is asked, not all of them.
      if (m_refused || (status != 0 && !is_engines_fault(status))) throw told;
      m_refused = told;
      m_suspect = m_seat;
    } else {
      m_seat->unreachable(failure.message());
    }
    m_seat->leave();
    m_left.push_back(std::exchange(m_seat, nullptr));
  }

  asio::awaitable<void> pass_on(AnswerSink& sink, UpstreamExchange& upstream) {
    if (m_suspect) m_suspect->blame();
    try {
      if (m_request.engine.stream) {
        co_await stream(sink, upstream);
      } else {
        co_await answer_whole(sink, upstream);
      }
    } catch (const Error& error) {
      const bool too_large = error.code() == ErrorCode::limit_exceeded && !m_is_closing;
      const bool ended = error.code() == ErrorCode::network;
      const bool malformed = error.code() == ErrorCode::http_status;
      const bool broke_off = too_large || ended || malformed || error.code() == ErrorCode::engine_failed;
      if (m_seat && broke_off) m_seat->blame();
      if (too_large) throw Error(ErrorCode::engine_failed, "the engine's answer is too large");
      if (malformed) throw Error(ErrorCode::engine_failed, "the engine's answer is malformed");
      if (!ended) throw;
      // Where it runs here, a log of it is here, too.
      throw Error(ErrorCode::engine_failed,
                  "the engine ended in the middle of its answer, or said nothing more for too long",
                  m_seat ? std::string() : std::string(engine::k_where_its_words_are));
    }
  }

  asio::awaitable<void> take_lease() {
    Reply<Leased> reply(co_await asio::this_coro::executor);
    m_ticket = m_parts.host.lease(*m_request.offer, m_request.caller.key.id, m_request.keep_alive, reply.taker());
    auto leased = co_await reply.wait();
    m_ticket.reset();
    if (auto* error = std::get_if<Error>(&leased)) throw *error;
    m_lease = std::move(std::get<std::shared_ptr<engine::Lease>>(leased));
    m_engine = m_lease->engine();
    m_digest = m_lease->digest();
    m_ready = Clock::now();
    m_loaded = m_lease->loaded();
  }

  asio::awaitable<std::string_view> next_of(UpstreamExchange& upstream) {
    const engine::Lease::Wait waits(m_lease.get());
    const auto piece = co_await upstream.read();
    if (m_lease) m_lease->heard();
    co_return piece;
  }
  asio::awaitable<std::string> read_all_of(UpstreamExchange& upstream) {
    const engine::Lease::Wait waits(m_lease.get());
    co_return co_await upstream.read_all();
  }

  asio::awaitable<void> answer_whole(AnswerSink& sink, UpstreamExchange& upstream) {
    auto body = co_await read_all_of(upstream);
    m_first = Clock::now();
    m_answered = true;
    auto answer = parse_answer(body);
    if (m_request.call) {
      answer = pool::answer_of(*m_request.model.remote, *m_request.call, std::move(answer));
      body = dump_json_line(answer);
    }
    note(answer);
    const bool has_words = !answers_in_numbers(m_request.endpoint);
    const auto words = has_words && m_request.record_mode != RecordMode::off ? m_words.of(answer) : std::string();
    auto response = text_response(200, "application/json", m_request.dialect->whole(std::move(body), answer));
    answer = nullptr;  // of vectors it is several times their text, and waits for no disk
    // JSON holds no byte that a mark begins with.
    const std::string_view said = has_words ? words : std::get<std::string>(response.body);
    co_await hand_over(sink, response, said);
  }

  asio::awaitable<void> listen(AnswerSink& sink) {
    Reply<Heard> reply(co_await asio::this_coro::executor);
    const auto& wanted = *m_request.listening;
    m_recording = m_parts.speech.transcribe(m_request.offer->named->artifact, m_request.caller.key.id, wanted.recording,
                                            wanted.task, reply.taker());
    auto heard = co_await reply.wait();
    m_recording.reset();
    if (auto* error = std::get_if<Error>(&heard)) throw *error;
    const auto& text = std::get<engine::Transcribed>(heard);
    m_engine = text.engine;
    m_digest = text.digest;
    m_first = Clock::now();
    auto response = wanted.say(text.transcript);
    const auto words = AnswerMarks().piece(k_content_part, text.transcript.text());
    co_await hand_over(sink, response, words);
  }

  /// An answer in one piece, once it is on record.
  asio::awaitable<void> hand_over(AnswerSink& sink, HttpResponse& response, std::string_view words) {
    if (m_request.record_mode == RecordMode::off) {
      m_parts.book.write({}, {}, {}, {}, {}, RecordMode::off);
      m_is_closing = true;
      finish(std::nullopt);
    } else {
      Reply<Durable> written(co_await asio::this_coro::executor);
      m_parts.book.write(sealed_prompt(), words, outcome("success", {}), written.taker());
      m_is_closing = true;
      finish(co_await written.wait());
    }
    if (!m_unrecorded) response.set("X-Liftlock-Record", m_request.id);
    co_await sink.respond(std::move(response));
  }

  asio::awaitable<void> stream(AnswerSink& sink, UpstreamExchange& upstream) {
    const auto executor = co_await asio::this_coro::executor;
    Reply<Durable> opened(executor);
    m_record = m_parts.book.open(sealed_prompt(), opened.taker());
    const auto problem = co_await opened.wait();
    if (problem) go_on_without(*problem);
    auto begin = text_response(200, std::string(m_request.dialect->stream_type()), "");
    begin.set("Cache-Control", "no-store");
    if (!m_unrecorded) begin.set("X-Liftlock-Record", m_request.id);
    co_await sink.begin(std::move(begin));
    m_begun = true;
    EventStream events;
    bool done = false;
    while (!done) {
      const auto piece = co_await next_of(upstream);
      if (piece.empty()) fail(ErrorCode::engine_failed, "the engine's answer ended early");
      std::string words, out;
      events.feed(piece, [&](std::string_view data) {
        done = data == "[DONE]";
        if (done) return false;
        auto chunk = parse_answer(data);
        if (const auto* error = answer_member(chunk, "error"))
          throw engine_refusal(500, dump_json_line({{"error", *error}}));
        note(chunk);
        const auto more = m_words.of(chunk);
        if (!more.empty()) ++m_pieces;
        words += more;
        std::string own;
        if (m_request.call) chunk = pool::answer_of(*m_request.model.remote, *m_request.call, std::move(chunk));
        // What stands on several lines would end an event of ours.
        if (m_request.call || data.find('\n') != std::string_view::npos) data = own = dump_json_line(chunk);
        out += m_request.dialect->chunk(data, chunk);
        return true;
      });
      if (m_first == Clock::time_point() && !words.empty()) m_first = Clock::now();
      // On record before it is on its way.
      if (!words.empty()) keep(words);
      co_await sink.write(out);
    }
    m_answered = true;
    const auto last = m_request.dialect->finish();
    Reply<Durable> closed(executor);
    m_record->close(outcome("success", {}), closed.taker());
    m_is_closing = true;
    finish(co_await closed.wait());
    co_await sink.write(last);
  }

  /// Records what failed, and tells the client: with a status where the answer did not begin.
  asio::awaitable<void> tell(AnswerSink& sink, const Error& failure) {
    Error error(failure.code(), words_without_paths(failure), std::string(failure.hint()));
    if (const auto wait = failure.retry_after()) error.set_retry_after(*wait);
    const bool is_told = m_ended || m_is_closing;  // to the record
    if (!m_ended) end("failed");
    if (!is_told) {
      Reply<Durable> written(co_await asio::this_coro::executor);
      if (m_record) {
        m_record->close(outcome("failed", info(error.code()).slug), written.taker());
      } else {
        m_parts.book.write(seal(), "", outcome("failed", info(error.code()).slug), written.taker());
      }
      co_await written.wait();
    }
    if (m_begun) {
      const auto last = m_request.dialect->broken(error);
      co_await sink.write(last);
    } else {
      auto response = api_problem(m_request.api, error);
      response.set("X-Liftlock-Record", m_request.id);
      co_await sink.respond(std::move(response));
    }
  }

  /// @throws problem where there is no answer without a record
  void go_on_without(const Error& problem) {
    if (m_request.record_or_stop) throw problem;
    m_unrecorded = true;
  }

  /// The answer is whole, and its record is, or is not.
  void finish(const Durable& problem) {
    if (problem && m_request.record_or_stop) {
      end("failed");
      throw *problem;
    }
    m_unrecorded = m_unrecorded || problem;
    end("success");
  }

  void keep(std::string_view words) {
    if (m_unrecorded) return;
    try {
      m_record->append(words);
    } catch (const Error& error) {
      go_on_without(error);
    }
  }

  void note(const Json& answer) {
    if (const auto* usage = answer_member(answer, "usage")) {
      m_prompt_tokens = answer_count(*usage, "prompt_tokens");
      m_completion_tokens = answer_count(*usage, "completion_tokens");
    }
  }

  RecordHead head() const {
    RecordHead head;
    head.id = m_request.id;
    head.user = m_request.caller.key.user;
    head.key_id = m_request.caller.key.id;
    head.peer = m_request.peer;
    head.endpoint = m_request.endpoint;
    head.model = m_request.model.name;
    head.model_digest = m_digest;
    head.engine = m_engine;
    head.tags = m_request.tags;
    return head;
  }

  Json outcome(std::string_view how, std::string_view code) const {
    Json outcome = {{"outcome", how},
                    {"prompt_tokens", m_prompt_tokens},
                    {"completion_tokens", m_completion_tokens},
                    {"total_ms", milliseconds(Clock::now() - m_start)}};
    if (!code.empty()) outcome["code"] = code;
    if (m_ready != Clock::time_point()) outcome["wait_ms"] = milliseconds(m_ready - m_start);
    if (m_first != Clock::time_point()) outcome["first_ms"] = milliseconds(m_first - m_start);
    return outcome;
  }

  /// An engine tells its counts last, if at all. Who hangs up before that, or asks one that tells none, pays what is
  /// known: no prompt has fewer tokens than that, and no piece of a stream less than one.
  std::uint64_t tokens_to_charge() const {
    if (!m_is_heard) return 0;
    const auto prompt = std::max(m_prompt_tokens, fewest_tokens(m_request.engine.body));
    return prompt + std::max(m_completion_tokens, m_pieces);
  }

  void end(std::string_view how) {
    m_ended = true;
    if (m_lease && !m_answered) m_lease->give_up();
    m_lease.reset();
    m_seat.reset();
    m_parts.gatekeeper.charge_tokens(m_request.caller, tokens_to_charge());
    if (!m_parts.on_end) return;
    const auto since = [&](Clock::time_point point) { return point < m_start ? Clock::duration{} : point - m_start; };
    m_parts.on_end({m_request.model.name, how, m_unrecorded, m_prompt_tokens, m_completion_tokens, since(m_ready),
                    since(m_first), Clock::now() - m_start, since(m_loaded)});
  }

  ConversationParts m_parts;
  ConversationRequest m_request;
  const std::string m_prompt;  ///< what the engine gets
  const Clock::time_point m_start = Clock::now();
  Clock::time_point m_loaded, m_ready, m_first;
  std::optional<std::uint64_t> m_ticket;     ///< of the host, while it is waited for
  std::optional<std::uint64_t> m_recording;  ///< of the speech host
  std::shared_ptr<engine::Lease> m_lease;
  std::shared_ptr<pool::Seat> m_seat;
  std::vector<std::shared_ptr<pool::Seat>> m_left;  ///< they failed this request
  std::shared_ptr<pool::Seat> m_suspect;            ///< one of them, unless the next fails, too
  std::optional<Error> m_refused;                   ///< what it said
  std::optional<SealedPrompt> m_sealed;             ///< as of the engine that was asked last
  std::shared_ptr<OpenRecord> m_record;
  AnswerWords m_words;
  std::string m_engine, m_digest;
  std::uint64_t m_prompt_tokens = 0, m_completion_tokens = 0;
  std::uint64_t m_pieces = 0;  ///< of a stream, that had words
  bool m_is_heard = false;     ///< the engine began to answer
  bool m_is_closing = false;   ///< its record was given to the book whole
  bool m_begun = false;        ///< the client got the head of a stream
  bool m_answered = false;     ///< the engine said all it had to say
  bool m_ended = false;
  bool m_unrecorded = false;
};

}  // namespace

std::shared_ptr<LiveAnswer> make_conversation(ConversationParts parts, ConversationRequest request) {
  return std::make_shared<Conversation>(std::move(parts), std::move(request));
}

}  // namespace liftlock
