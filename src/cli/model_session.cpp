#include "cli/model_session.hpp"

#include <csignal>
#include <future>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/config_record.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/conversation.hpp"

namespace liftlock {
namespace {

using Durable = std::optional<Error>;
using Leased = std::variant<std::shared_ptr<engine::Lease>, Error>;

constexpr std::chrono::milliseconds k_look_for_stop{50};

/// Waits for what is told on another thread.
template <typename T>
class Awaited {
 public:
  std::function<void(T)> taker() {
    return [promise = m_promise](T value) { promise->set_value(std::move(value)); };
  }
  /// nullopt: stopped.
  std::optional<T> get(const std::atomic<bool>& stop) {
    while (m_future.wait_for(k_look_for_stop) != std::future_status::ready) {
      if (stop) return std::nullopt;
    }
    return m_future.get();
  }
  T get() { return m_future.get(); }

 private:
  std::shared_ptr<std::promise<T>> m_promise = std::make_shared<std::promise<T>>();
  std::future<T> m_future = m_promise->get_future();
};

void require(Awaited<Durable>& durable) {
  if (const auto problem = durable.get()) throw *problem;
}

[[noreturn]] void refused(int status, std::string_view words) {
  fail(ErrorCode::engine_failed, "the engine refused with status {}: {}", status, words.substr(0, 300));
}

UnixRequest post(std::string target, std::string body) {
  UnixRequest call;
  call.method = "POST";
  call.target = std::move(target);
  call.headers = {{"Content-Type", "application/json"}};
  call.body = std::move(body);
  return call;
}

/// nullptr in the last chunk of a stream, which holds counts only.
const Json* choice_of(const Json& chunk) {
  const auto* choices = answer_member(chunk, "choices");
  return choices == nullptr || !choices->is_array() || choices->empty() ? nullptr : &choices->front();
}

/// Empty in all chunks of a stream but one.
std::string finish_reason(const Json& chunk) {
  const auto* choice = choice_of(chunk);
  return choice == nullptr ? std::string() : answer_text(*choice, "finish_reason");
}

/// Without what the model thought before it said it.
std::string content(const Json& chunk) {
  const auto* choice = choice_of(chunk);
  const auto* delta = choice == nullptr ? nullptr : answer_member(*choice, "delta");
  return delta == nullptr ? std::string() : answer_text(*delta, "content");
}

/// Of /v1/embeddings, in the order of the inputs.
std::vector<std::vector<double>> vectors_of(const Json& answer, std::size_t count) {
  const auto& data = array_member(answer, "data", "the engine's answer");
  std::vector<std::vector<double>> out(count);
  for (const auto& one : data) {
    const auto index = uint_member(one, "index", "the engine's answer");
    const auto& values = array_member(one, "embedding", "the engine's answer");
    if (index >= count || !out[index].empty()) {
      fail(ErrorCode::engine_failed, "the engine's vectors are not one for each text");
    }
    for (const auto& value : values) {
      if (!value.is_number()) fail(ErrorCode::engine_failed, "the engine's vector holds something that is no number");
      out[index].push_back(value.get<double>());
    }
  }
  for (const auto& vector : out) {
    if (vector.empty()) fail(ErrorCode::engine_failed, "the engine's vectors are not one for each text");
  }
  return out;
}

}  // namespace

std::atomic<bool>& stop_on_interrupt() {
  static std::atomic<bool> s_stop{false};
  struct sigaction action {};
  action.sa_handler = [](int) { s_stop = true; };
  ::sigaction(SIGINT, &action, nullptr);
  return s_stop;
}

ModelSession::ModelSession(const Site& site, std::string actor, std::string model, const std::atomic<bool>& stop)
    : m_log(site.audit_folder(), ""),
      m_book(record_options(site), m_log),
      m_record(record_policy(site)),
      m_host(host_options(site), m_log, actor),
      m_actor(std::move(actor)),
      m_model(std::move(model)),
      m_stop(stop) {}

/// nullptr: stopped.
std::shared_ptr<engine::Lease> ModelSession::lease(const std::string& model) {
  Awaited<Leased> leased;
  const auto ticket = m_host.lease(model, m_actor, std::chrono::seconds(0), leased.taker());
  auto result = leased.get(m_stop);
  if (!result) {
    m_host.cancel(ticket);
    return nullptr;
  }
  if (const auto* error = std::get_if<Error>(&*result)) throw *error;
  return std::get<std::shared_ptr<engine::Lease>>(*std::move(result));
}

RecordMode ModelSession::record_mode() {
  return m_record.mode_for(m_host.offer(m_model).model, std::nullopt);
}

bool ModelSession::load() {
  return lease(m_model) != nullptr;
}

void ModelSession::use(std::string model) {
  if (lease(model)) m_model = std::move(model);
}

RecordHead ModelSession::head(const engine::Lease& engine) const {
  RecordHead head;
  head.user = head.peer = m_actor;
  head.endpoint = "terminal";
  head.model = engine.model();
  head.model_digest = engine.digest();
  head.engine = engine.engine();
  return head;
}

UnixClientLimits ModelSession::limits() const {
  UnixClientLimits limits;
  // A long prompt takes an engine many minutes without a byte; the host kills those that hang.
  limits.idle = std::chrono::hours(1);
  limits.stop = &m_stop;
  return limits;
}

ModelSession::Said ModelSession::ask(Json request, const std::function<void(std::string_view)>& on_piece) {
  request["stream"] = true;
  request["model"] = m_model;
  const auto narrowed = narrow_chat_request(request);
  const auto prompt = dump_json_line(narrowed.body);
  Said said;
  const auto engine = lease(m_model);
  if (!engine) {
    said.stopped = true;
    return said;
  }
  Awaited<Durable> opened;
  const auto record = m_book.open(head(*engine), prompt, opened.taker(), record_mode());
  require(opened);

  said.record = record->id();
  EventStream events;
  bool done = false;
  std::string refusal;
  int status = 0;
  const auto take_event = [&](std::string_view data) {
    done = data == "[DONE]";
    if (done) return false;
    const auto chunk = parse_json(data);
    if (const auto usage = chunk.find("usage"); usage != chunk.end() && usage->is_object()) {
      said.prompt_tokens = usage->value("prompt_tokens", std::uint64_t{0});
      said.completion_tokens = usage->value("completion_tokens", std::uint64_t{0});
    }
    if (auto reason = finish_reason(chunk); !reason.empty()) said.finish = std::move(reason);
    const auto words = words_of(chunk);
    if (!words.empty()) {
      record->append(words);
      said.text += content(chunk);
      on_piece(words);
    }
    said.stopped = m_stop.load();
    return !said.stopped;
  };
  const auto take_head = [&](const UnixResponse& answer) {
    status = answer.status;
    return true;
  };
  const auto take_piece = [&](std::string_view piece) {
    if (status == 200) return events.feed(piece, take_event);
    refusal += piece;
    return refusal.size() < 65536;
  };
  std::optional<Error> failed;
  try {
    UnixClient(engine->socket(), limits()).stream(post("/v1/chat/completions", prompt), take_head, take_piece);
  } catch (const Error& error) {
    said.stopped = m_stop.load();
    if (!said.stopped) failed = error;
  }
  const bool whole = status == 200 && done;
  Awaited<Durable> closed;
  record->close({{"outcome", said.stopped ? "stopped"
                             : whole      ? "success"
                                          : "failed"},
                 {"prompt_tokens", said.prompt_tokens},
                 {"completion_tokens", said.completion_tokens}},
                closed.taker());
  require(closed);
  if (failed) throw *failed;
  if (status != 200 && !said.stopped) refused(status, refusal);
  if (!whole && !said.stopped) fail(ErrorCode::engine_failed, "the engine's answer ended early");
  return said;
}

ModelSession::Vectors ModelSession::embed(const std::vector<std::string>& texts) {
  const auto narrowed = narrow_embeddings_request({{"model", m_model}, {"input", texts}, {"encoding_format", "float"}});
  const auto prompt = dump_json_line(narrowed.body);
  Vectors out;
  const auto engine = lease(m_model);
  if (!engine) return out;
  UnixResponse answer;
  try {
    answer = UnixClient(engine->socket(), limits()).request(post("/v1/embeddings", prompt));
  } catch (const Error&) {
    if (!m_stop) throw;
    return out;
  }
  if (answer.status == 200) {
    const auto document = parse_json(answer.body, {.max_bytes = 64u << 20, .max_depth = 16});
    out.vectors = vectors_of(document, texts.size());
    if (const auto usage = document.find("usage"); usage != document.end() && usage->is_object()) {
      out.prompt_tokens = usage->value("prompt_tokens", std::uint64_t{0});
    }
  }
  auto about = head(*engine);
  about.id = out.record = new_record_id();
  Awaited<Durable> written;
  m_book.write(about, prompt, "",
               {{"outcome", answer.status == 200 ? "success" : "failed"}, {"prompt_tokens", out.prompt_tokens}},
               written.taker(), record_mode());
  require(written);
  if (answer.status != 200) refused(answer.status, answer.body);
  return out;
}

ModelSession open_model_session(Invocation& invocation, const std::string& model, std::string_view command) {
  const auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  site.require_own();
  record_config(invocation, site);
  try {
    return {site, invocation.actor(), model, stop_on_interrupt()};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    throw Error(ErrorCode::busy, "a server answers for the models of this installation",
                "ask it at its address, with a key (`liftlock key add`); or stop it first");
  }
}

}  // namespace liftlock
