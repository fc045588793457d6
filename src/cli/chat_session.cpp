#include "cli/chat_session.hpp"

#include <future>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "gateway/conversation.hpp"
#include "net/unix_client.hpp"

namespace liftlock {
namespace {

using Durable = std::optional<Error>;
using Leased = std::variant<std::shared_ptr<engine::Lease>, Error>;

/// Waits for what is told on another thread.
template <typename T>
class Awaited {
 public:
  std::function<void(T)> taker() {
    return [promise = m_promise](T value) { promise->set_value(std::move(value)); };
  }
  T get() { return m_promise->get_future().get(); }

 private:
  std::shared_ptr<std::promise<T>> m_promise = std::make_shared<std::promise<T>>();
};

void require(Awaited<Durable>& durable) {
  if (const auto problem = durable.get()) throw *problem;
}

}  // namespace

ChatSession::ChatSession(const Site& site, const std::string& actor, std::string model)
    : m_log(site.audit_folder(), ""),
      m_book(record_options(site), m_log),
      m_host(host_options(site), m_log, actor),
      m_actor(actor),
      m_model(std::move(model)) {}

std::shared_ptr<engine::Lease> ChatSession::lease() {
  Awaited<Leased> leased;
  m_host.lease(m_model, m_actor, std::chrono::seconds(0), leased.taker());
  auto result = leased.get();
  if (const auto* error = std::get_if<Error>(&result)) throw *error;
  return std::get<std::shared_ptr<engine::Lease>>(std::move(result));
}

void ChatSession::load() {
  lease();
}

ChatSession::Said ChatSession::ask(Json request, const std::function<void(std::string_view)>& on_piece,
                                   const std::atomic<bool>& stop) {
  request["stream"] = true;
  request["model"] = m_model;
  const auto narrowed = narrow_chat_request(request);
  const auto prompt = dump_json_line(narrowed.body);
  const auto engine = lease();

  RecordHead head;
  head.user = head.peer = m_actor;
  head.endpoint = "terminal";
  head.model = engine->model();
  head.model_digest = engine->digest();
  head.engine = engine->engine();
  Awaited<Durable> opened;
  const auto record = m_book.open(head, prompt, opened.taker());
  require(opened);

  Said said;
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
    const auto words = words_of(chunk);
    if (!words.empty()) {
      record->append(words);
      said.text += words;
      on_piece(words);
    }
    said.stopped = stop.load();
    return !said.stopped;
  };
  UnixRequest call;
  call.method = "POST";
  call.target = "/v1/chat/completions";
  call.headers = {{"Content-Type", "application/json"}};
  call.body = prompt;
  UnixClient(engine->socket())
      .stream(
          call,
          [&](const UnixResponse& answer) {
            status = answer.status;
            return true;
          },
          [&](std::string_view piece) {
            if (status == 200) return events.feed(piece, take_event);
            refusal += piece;
            return refusal.size() < 65536;
          });
  const bool whole = status == 200 && (done || said.stopped);
  Awaited<Durable> closed;
  record->close({{"outcome", said.stopped ? "stopped"
                             : whole      ? "success"
                                          : "failed"},
                 {"prompt_tokens", said.prompt_tokens},
                 {"completion_tokens", said.completion_tokens}},
                closed.taker());
  require(closed);
  if (!whole) {
    fail(ErrorCode::engine_failed, "{}",
         status == 200 ? "the engine's answer ended early"
                       : fmt::format("the engine refused with status {}: {}", status, refusal.substr(0, 300)));
  }
  return said;
}

}  // namespace liftlock
