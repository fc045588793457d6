#include "cli/model_session.hpp"

#include <fcntl.h>

#include <cmath>
#include <csignal>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/config_record.hpp"
#include "cli/model_serving.hpp"
#include "crypto/hash.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/engine_answer.hpp"
#include "os/run_folder.hpp"
#include "server/local_door.hpp"
#include "store/catalog.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

constexpr JsonLimits k_answer_limits{.max_bytes = 64u << 20, .max_depth = 64};

/// Throws what the server said of its failure, as if it had happened here.
[[noreturn]] void refused(const Json& answer, int status) {
  const auto* said = answer_member(answer, "error");
  if (said == nullptr) fail(ErrorCode::engine_failed, "the server answered with status {}", status);
  const auto code = parse_error_code(answer_text(*said, "code"));
  throw Error(code.value_or(ErrorCode::engine_failed), answer_text(*said, "message"), answer_text(*said, "remedy"));
}

[[noreturn]] void refused_in(std::string_view body, int status) {
  Json answer;
  try {
    answer = parse_json(body);
  } catch (const Error&) {
    // The status says enough.
  }
  refused(answer, status);
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

/// What a person reads as it comes.
struct Words {
  std::string thought;  ///< before it says anything
  std::string said;
};
Words words_of(const Json& chunk) {
  const auto* choice = choice_of(chunk);
  const auto* delta = choice == nullptr ? nullptr : answer_member(*choice, "delta");
  if (delta == nullptr) return {};
  return {answer_text(*delta, "reasoning_content"), answer_text(*delta, "content")};
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

std::string form_field(std::string_view boundary, std::string_view name, std::string_view value) {
  return fmt::format("--{}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n", boundary, name, value);
}

engine::Transcript transcript_of(const Json& answer) {
  engine::Transcript out;
  out.language = answer_text(answer, "language");
  for (const auto& one : array_member(answer, "segments", "the transcript")) {
    const auto time = [&](const char* key) {
      const auto seconds = one.is_object() && one.contains(key) && one[key].is_number() ? one[key].get<double>() : 0.0;
      return std::chrono::milliseconds(std::llround(seconds * 1000));
    };
    out.segments.push_back({.from = time("start"), .to = time("end"), .text = answer_text(one, "text")});
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

/// What `serve` would be to this command, for it alone.
class ModelSession::OwnServer {
 public:
  OwnServer(const Site& site, const std::string& actor)
      : m_log(site.audit_folder(), ""),
        m_models(site, m_log, actor),
        m_door(m_folder.path(), [this](const HttpRequest& asked) { return m_models.gateway().handle_local(asked); }) {}

  fs::path door() const { return door_in(m_folder.path()); }

 private:
  AuditLog m_log;
  ModelServing m_models;
  RunFolder m_folder{"terminal"};
  LocalDoor m_door;
};

ModelSession::ModelSession(const Site& site, std::string actor, const std::string& model, const std::atomic<bool>& stop)
    : m_site(site), m_door(door_in(site.run_folder())), m_actor(std::move(actor)), m_stop(stop) {
  m_model = resolve(model);
  if (is_open(site.run_folder())) return;
  m_own = std::make_unique<OwnServer>(site, m_actor);
  m_door = m_own->door();
}

ModelSession::~ModelSession() = default;

/// What exactly this model is called, where it is one of the store: a content as such, an alias as itself.
std::string ModelSession::resolve(const std::string& model) const {
  const auto& config = m_site.config();
  try {
    const engine::Choices aliases(m_site.aliases_file());
    const auto artifact = engine::require_model(Catalog(m_site.catalog_file(), Access::read), aliases, model);
    if (aliases.current(model) || artifact.name == model) return model;
    return parse_named_content(model) ? content_name(artifact) : artifact.id();
  } catch (const Error& error) {
    const bool may_be_elsewhere = config.roles.contains(model) || model.find('/') != std::string::npos;
    if (error.code() != ErrorCode::not_found || !may_be_elsewhere) throw;
    return model;
  }
}

std::string ModelSession::resolved() const {
  constexpr std::string_view k_local = "local://";
  const auto& roles = m_site.config().roles;
  const auto role = roles.find(m_model);
  auto name = role == roles.end() ? m_model : role->second;
  if (name.starts_with(k_local)) name.erase(0, k_local.size());
  try {
    const engine::Choices aliases(m_site.aliases_file());
    return content_digest(engine::require_model(Catalog(m_site.catalog_file(), Access::read), aliases, name)).text();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    return name;
  }
}

UnixClientLimits ModelSession::limits() const {
  UnixClientLimits limits;
  // A long prompt takes an engine many minutes without a byte; the server kills those that hang.
  limits.idle = limits.total = std::chrono::hours(24);
  limits.stop = &m_stop;
  return limits;
}

UnixRequest ModelSession::post(std::string target, std::string body, std::string type) const {
  UnixRequest call;
  call.method = "POST";
  call.target = std::move(target);
  call.headers = {{"Content-Type", std::move(type)}, {"X-Liftlock-User", m_actor}};
  call.body = std::move(body);
  return call;
}

std::optional<UnixResponse> ModelSession::request(const UnixRequest& call) const {
  try {
    auto answer = UnixClient(m_door, limits()).request(call);
    if (answer.status != 200) refused_in(answer.body, answer.status);
    return answer;
  } catch (const Error&) {
    if (!m_stop) throw;
    return std::nullopt;
  }
}

bool ModelSession::load(const std::string& model) const {
  // Ollama's way of saying it: a prompt without words.
  return request(post("/api/generate", dump_json_line({{"model", model}, {"stream", false}}))).has_value();
}

bool ModelSession::load() {
  return load(m_model);
}

bool ModelSession::unload() {
  const Json nothing = {{"model", m_model}, {"stream", false}, {"keep_alive", 0}};
  return request(post("/api/generate", dump_json_line(nothing))).has_value();
}

void ModelSession::use(const std::string& model) {
  auto name = resolve(model);
  if (load(name)) m_model = std::move(name);
}

ModelSession::Said ModelSession::ask(Json request, const std::function<void(std::string_view)>& on_piece) {
  request["model"] = m_model;
  request["stream"] = true;
  request["stream_options"] = {{"include_usage", true}};
  Said said;
  EventStream events;
  bool done = false;
  std::string refusal;
  int status = 0;
  const auto take_event = [&](std::string_view data) {
    done = data == "[DONE]";
    if (done) return false;
    const auto chunk = parse_json(data, k_answer_limits);
    if (answer_member(chunk, "error") != nullptr) refused(chunk, status);
    if (const auto* usage = answer_member(chunk, "usage")) {
      said.prompt_tokens = answer_count(*usage, "prompt_tokens");
      said.completion_tokens = answer_count(*usage, "completion_tokens");
    }
    if (auto reason = finish_reason(chunk); !reason.empty()) said.finish = std::move(reason);
    const auto words = words_of(chunk);
    said.text += words.said;
    if (const auto piece = words.thought + words.said; !piece.empty()) on_piece(piece);
    said.stopped = m_stop.load();
    return !said.stopped;
  };
  const auto take_head = [&](const UnixResponse& answer) {
    status = answer.status;
    said.record = answer.header("X-Liftlock-Record");
    return true;
  };
  const auto take_piece = [&](std::string_view piece) {
    if (status == 200) return events.feed(piece, take_event);
    refusal += piece;
    return refusal.size() < 65536;
  };
  try {
    UnixClient(m_door, limits()).stream(post("/v1/chat/completions", dump_json_line(request)), take_head, take_piece);
  } catch (const Error&) {
    said.stopped = m_stop.load();
    if (!said.stopped) throw;
  }
  if (said.stopped) return said;
  if (status != 200) refused_in(refusal, status);
  if (!done) fail(ErrorCode::engine_failed, "the answer ended early");
  return said;
}

ModelSession::Vectors ModelSession::embed(const std::vector<std::string>& texts) {
  Vectors out;
  const auto answer = request(
      post("/v1/embeddings", dump_json_line({{"model", m_model}, {"input", texts}, {"encoding_format", "float"}})));
  if (!answer) return out;
  const auto document = parse_json(answer->body, {.max_bytes = 64u << 20, .max_depth = 16});
  out.record = answer->header("X-Liftlock-Record");
  out.vectors = vectors_of(document, texts.size());
  if (const auto* usage = answer_member(document, "usage")) out.prompt_tokens = answer_count(*usage, "prompt_tokens");
  return out;
}

std::optional<ModelSession::Heard> ModelSession::transcribe(const fs::path& file, const Listening& how) {
  const auto in = open_file(file, O_RDONLY | O_NONBLOCK);  // a pipe is refused, and not waited for
  (void)regular_size(in.get(), file.string());
  const auto sound = read_all(in.get(), engine::k_max_recording, file.string());
  const auto boundary = sha256(sound).hex();  // no sound holds its own digest
  auto body = form_field(boundary, "model", m_model) + form_field(boundary, "response_format", "verbose_json");
  if (!how.hint.empty()) body += form_field(boundary, "prompt", how.hint);
  if (how.language != "auto" && !how.to_english) body += form_field(boundary, "language", how.language);
  body += fmt::format(
      "--{}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"recording\"\r\n"
      "Content-Type: application/octet-stream\r\n\r\n",
      boundary);
  body += sound;
  body += fmt::format("\r\n--{}--\r\n", boundary);
  const auto* target = how.to_english ? "/v1/audio/translations" : "/v1/audio/transcriptions";
  try {
    const auto answer = request(post(target, std::move(body), "multipart/form-data; boundary=" + boundary));
    if (!answer) return std::nullopt;
    return Heard{transcript_of(parse_json(answer->body, k_answer_limits)),
                 std::string(answer->header("X-Liftlock-Record"))};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) throw;
    throw Error(ErrorCode::usage, error.message(), std::string(error.hint()));
  }
}

ModelSession open_model_session(Invocation& invocation, const std::string& model, std::string_view command) {
  const auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  if (!is_open(site.run_folder())) {
    site.require_own();
    record_config(invocation, site);
  }
  try {
    return {site, invocation.actor(), model, stop_on_interrupt()};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::busy) throw;
    throw Error(ErrorCode::busy, "another command is asking a model of this installation",
                "wait until it ends; or start `liftlock serve`, which answers many at once");
  }
}

}  // namespace liftlock
