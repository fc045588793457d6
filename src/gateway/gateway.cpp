#include "gateway/gateway.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "engine/named_models.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/conversation.hpp"
#include "gateway/endpoints.hpp"
#include "gateway/gateway_metrics.hpp"
#include "gateway/gateway_status.hpp"
#include "gateway/key_desk.hpp"
#include "gateway/model_access.hpp"
#include "gateway/model_defaults.hpp"
#include "gateway/model_loading.hpp"
#include "gateway/offline.hpp"
#include "gateway/ollama.hpp"
#include "gateway/pool_metrics.hpp"
#include "gateway/prompt_size.hpp"
#include "gateway/record_desk.hpp"
#include "gateway/request_tags.hpp"
#include "gateway/speech.hpp"
#include "gateway/translation.hpp"

namespace liftlock {
namespace {

/// A long prompt or answer takes an engine many minutes without a byte; the host ends those that hang, and those that
/// forgot a request.
constexpr UnixClientLimits k_engine_limits{.max_body = 64u << 20, .idle = std::chrono::hours(1)};
constexpr std::size_t k_max_user = 200;

HttpResponse json_answer(const Json& document) {
  return text_response(200, "application/json", dump_json_line(document) + "\n").set("Cache-Control", "no-store");
}

engine::ModelTask task_at(std::string_view path) {
  if (path == "/v1/embeddings") return engine::ModelTask::embeddings;
  if (path.starts_with(k_audio)) return engine::ModelTask::speech;
  return path == "/v1/rerank" ? engine::ModelTask::reranking : engine::ModelTask::text;
}

/// Before the engine sees anything of it.
void require_fit(const ConversationRequest& request) {
  const auto& offer = *request.offer;
  if (const auto task = task_at(request.engine.path); task != offer.task) {
    throw Error(
        ErrorCode::model_unfit,
        fmt::format("'{}' is made for {}, and not for {}", printable(request.model.name), name(offer.task), name(task)),
        "ask a model that is made for it");
  }
  if (offer.task == engine::ModelTask::speech) return;
  if (fewest_tokens(request.engine.body) > offer.context) {
    fail(ErrorCode::context_exceeded,
         "the prompt is too long: it has more than {} tokens, which is the context of '{}'", offer.context,
         printable(request.model.name));
  }
}

bool has_schemas(const Json& body) {
  return body.contains("tools") || body.contains("response_format") || body.contains("json_schema");
}

/// Zero: the host's own. A model without end is not for a client to ask for.
std::chrono::seconds stay_of(const Translation& asked) {
  return std::max(asked.keep_alive.value_or(std::chrono::seconds(0)), std::chrono::seconds(0));
}

Json openai_model(const ollama::ModelCard& card) {
  return {{"id", card.name},
          {"object", "model"},
          {"created", card.modified.time_since_epoch().count()},
          {"owned_by", "liftlock"}};
}

/// Ollama's clients expect a tag behind each name.
ModelList::Cards with_tags(ModelList::Cards cards) {
  for (auto& card : cards) card.name += ":latest";
  return cards;
}

}  // namespace

struct Gateway::Impl {
  GatewayParts parts;
  ModelAccess models{
      parts.catalog_file, parts.aliases_file, parts.roles, {parts.host, parts.pools, parts.gatekeeper, parts.labels}};
  GatewayMetrics metrics;
  std::atomic<bool> told_unrecorded = false;
  std::optional<RecordDesk> desk;
  std::optional<KeyDesk> keys;

  explicit Impl(GatewayParts given) : parts(std::move(given)) {
    if (parts.records) desk.emplace(*parts.records, parts.log);
    if (parts.keys) keys.emplace(*parts.keys, parts.labels, parts.record.mode, parts.log);
    // By nobody that is known: whose key was revoked may not be who has it now.
    parts.gatekeeper.tell_failures_to([this](const FailedLogin& failed) {
      Json detail = {{"why", failed.why}};
      if (!failed.key_id.empty()) detail["key"] = failed.key_id;
      if (failed.why == "slowed") detail["count"] = failed.count;
      parts.log.append({.type = "access.failure",
                        .actor = "anonymous",
                        .outcome = Outcome::failure,
                        .subject = std::string(failed.peer),
                        .detail = dump_json_line(detail)});
    });
    parts.gatekeeper.tell_logins_to([this](const std::vector<Login>& logins) {
      std::vector<AuditEvent> events;
      for (const auto& login : logins) {
        events.push_back({.type = "access.login",
                          .actor = login.user,
                          .outcome = Outcome::success,
                          .subject = login.key_id,
                          .detail = dump_json_line({{"peer", login.peer}})});
      }
      parts.log.append(events);
    });
  }
  ~Impl() {
    parts.gatekeeper.tell_failures_to(nullptr);
    parts.gatekeeper.tell_logins_to(nullptr);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  using AnswerTo = HttpResponse (Impl::*)(const HttpRequest& request, HttpNote& note);

  HttpResponse handle(const HttpRequest& request, Api api, AnswerTo answered) {
    HttpNote note;
    const auto problem = [&](const Error& error) {
      auto response = problem_at(request.path, api, error);
      response.route = "gateway";
      response.note = std::move(note);
      response.note.record.clear();  // it reached no model
      metrics.refused();
      return response;
    };
    try {
      return (this->*answered)(request, note);
    } catch (const Error& error) {
      return problem(error);
    } catch (const std::exception& error) {
      return problem(Error(ErrorCode::internal, error.what()));
    }
  }

  /// @param note gets what is known of the request, also where it is refused
  HttpResponse answer_any(const HttpRequest& request, HttpNote& note) {
    const auto endpoint = endpoint_of(request);
    // Clients ask for the version to see that somebody is there, before they have a key.
    if (endpoint.does == Does::ollama_version) return json_answer(ollama::version());
    return answer(endpoint, request, caller_of(request), note);
  }

  Caller caller_of(const HttpRequest& request) {
    auto authorization = request.header("Authorization");
    if (authorization.empty()) authorization = request.header("x-api-key");
    return parts.gatekeeper.admit(authorization, request.peer);
  }

  HttpResponse answer_local(const HttpRequest& request, HttpNote& note) {
    Caller caller;
    caller.is_local = true;
    caller.key.id = "local";
    caller.key.user = request.header("X-Liftlock-User").substr(0, k_max_user);
    caller.key.role = UserRole::operate;
    caller.key.label = parts.labels.highest();
    auto endpoint = endpoint_of(request);
    endpoint.api = Api::local;
    return answer(endpoint, request, caller, note);
  }

  HttpResponse answer(const Endpoint& endpoint, const HttpRequest& request, const Caller& caller, HttpNote& note) {
    note.user = caller.key.user;
    note.key_id = caller.key.id;
    if (endpoint.does == Does::absent) throw *not_on_this_side(request.path);
    auto response = dispatch(endpoint, request, caller, note);
    response.route = endpoint.path;
    response.note = std::move(note);
    return response;
  }

  HttpResponse dispatch(const Endpoint& endpoint, const HttpRequest& request, const Caller& caller, HttpNote& note) {
    if (endpoint.does == Does::list) {
      auto data = Json::array();
      for (const auto& card : models.allowed(caller)) data.push_back(openai_model(card));
      return json_answer({{"object", "list"}, {"data", std::move(data)}});
    }
    if (endpoint.does == Does::show)
      return json_answer(openai_model(models.card(request.path.substr(k_one_model.size()), caller)));
    if (endpoint.does == Does::ollama_tags) return json_answer(ollama::tags(with_tags(models.allowed(caller))));
    if (endpoint.does == Does::ollama_ps) return json_answer(ollama::ps(with_tags(models.loaded(caller))));
    if (endpoint.does == Does::search_records || endpoint.does == Does::read_record)
      return look_into_records(endpoint, request, caller);
    if (endpoint.does == Does::list_keys || endpoint.does == Does::make_key || endpoint.does == Does::revoke_key)
      return see_to_keys(endpoint, request, caller);
    const bool is_form = endpoint.path.starts_with(k_audio);
    const auto document = is_form ? Json() : parse_json(request.body, k_request_limits);
    if (endpoint.does == Does::ollama_show) {
      return json_answer(ollama::show(models.card(ollama::show_request(document), caller)));
    }
    if (endpoint.does == Does::ollama_pull) return pull(ollama::pull_request(document), caller);
    return converse(endpoint, request, caller, document, note);
  }

  HttpResponse load(const Translation& wanted, const Caller& caller, Api api) {
    const auto model = models.asked(wanted.engine.model, caller).target;
    const bool unload = wanted.keep_alive == std::chrono::seconds(0);
    const auto said = ollama::load_answer(
        *wanted.only_load == OllamaAnswer::chat ? ollama::Endpoint::chat : ollama::Endpoint::generate,
        {.model = wanted.engine.model, .created = now(), .total = {}, .load = {}}, unload ? "unload" : "load");
    if (unload) {
      parts.gatekeeper.require_right(caller, Right::load);
      if (model.remote != nullptr)
        fail(ErrorCode::bad_request, "'{}' is loaded and unloaded by another machine", model.name);
      parts.host.unload(model.name);
      return json_answer(said);
    }
    if (model.remote != nullptr) return json_answer(said);
    parts.gatekeeper.charge_request(caller);
    HttpResponse response;
    response.live = make_loading(parts.host, {.api = api,
                                              .caller = caller.key.id,
                                              .model = model.name,
                                              .keep_alive = stay_of(wanted),
                                              .answer = json_answer(said)});
    return response;
  }

  /// As the audit log has it.
  static std::string actor_of(const Caller& caller) { return fmt::format("{} ({})", caller.key.user, caller.key.id); }

  HttpResponse see_to_keys(const Endpoint& endpoint, const HttpRequest& request, const Caller& caller) {
    parts.gatekeeper.require_right(caller, Right::keys);
    if (!keys) fail(ErrorCode::not_found, "no keys are made here");
    // What ends a key is not refused for having used up what its own may.
    if (endpoint.does != Does::revoke_key) parts.gatekeeper.charge_request(caller);
    HttpResponse response;
    if (endpoint.does == Does::list_keys) {
      response.live = keys->list();
      return response;
    }
    const auto wanted = parse_json(request.body, k_request_limits);
    response.live = endpoint.does == Does::make_key ? keys->make(wanted, caller, actor_of(caller))
                                                    : keys->revoke(request.path.substr(KeyDesk::k_key_path.size()),
                                                                   wanted, caller, actor_of(caller));
    return response;
  }

  HttpResponse look_into_records(const Endpoint& endpoint, const HttpRequest& request, const Caller& caller) {
    parts.gatekeeper.require_right(caller, Right::records);
    if (!desk) fail(ErrorCode::not_found, "no records are read here");
    const auto actor = actor_of(caller);
    HttpResponse response;
    response.live = endpoint.does == Does::search_records
                        ? desk->search(parse_json(request.body, k_request_limits), actor)
                        : desk->read(std::string(request.path.substr(RecordDesk::k_record_path.size())), actor);
    return response;
  }

  /// Programs pull what they need when they start: of a model that is here there is nothing left to do.
  HttpResponse pull(const ollama::PullRequest& wanted, const Caller& caller) {
    try {
      models.card(wanted.model, caller);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;
      fail(ErrorCode::offline,
           "the model '{}' is not here, and nothing is fetched from this side: it has to come in a bundle",
           printable(catalog_name(wanted.model)));
    }
    auto response = json_answer({{"status", "success"}});
    if (wanted.stream) response.replace("Content-Type", "application/x-ndjson");
    return response;
  }

  HttpResponse converse(const Endpoint& endpoint, const HttpRequest& request, const Caller& caller,
                        const Json& document, HttpNote& note) {
    const auto id = new_record_id();
    auto asked = translate(endpoint, request, document, id);
    if (asked.only_load) return load(asked, caller, endpoint.api);
    if (asked.listening && !asked.listening->task.hint.empty() && !parts.speech_hint) {
      refuse_field("prompt",
                   "is not taken: the engine would have it on its command line, which every user of the server's "
                   "machine can read; speech_hint = true below [models] of config.toml allows that");
    }
    ConversationRequest wanted;
    wanted.caller = caller;
    wanted.peer = std::string(request.peer);
    wanted.api = endpoint.api;
    wanted.endpoint = std::string(endpoint.path);
    wanted.id = id;
    wanted.engine = std::move(asked.engine);
    wanted.dialect = std::move(asked.dialect);
    wanted.listening = std::move(asked.listening);
    wanted.keep_alive = stay_of(asked);
    auto found = models.asked(wanted.engine.model, caller);
    wanted.model = std::move(found.target);
    wanted.offer = std::move(found.offer);
    wanted.record_mode = parts.record.mode_for(found.model, parse_record_mode(caller.key.record));
    wanted.record_or_stop = caller.is_local || parts.record.stop_when_unwritable;
    wanted.tags = tags_of(request, document);
    if (parts.labels.in_use() && !caller.key.label.empty()) wanted.tags.push_back("label:" + caller.key.label);
    wanted.engine.body["model"] = wanted.model.name;
    if (has_schemas(wanted.engine.body)) wanted.order = KeyOrder(request.body);
    note.model = wanted.model.name;
    note.record = wanted.id;
    if (endpoint.does == Does::images && wanted.model.remote == nullptr) {
      throw Error(ErrorCode::bad_request, fmt::format("'{}' makes no images", wanted.model.name),
                  "images are made by models of pools: docs/guides/gateway.md");
    }
    if (wanted.listening && wanted.model.remote != nullptr) {
      fail(ErrorCode::bad_request, "'{}' is on another machine, and recordings are not sent there", wanted.model.name);
    }
    if (const auto* remote = wanted.model.remote) {
      wanted.call = pool::call_of(*remote, wanted.engine.path, wanted.engine.body);
    } else {
      apply_defaults(wanted.offer->named->defaults, wanted.engine);
      require_fit(wanted);
    }
    parts.gatekeeper.charge_request(caller);
    if (wanted.listening) {
      hold(asked.recording, wanted);
      wanted.listening->is_kept = parts.record.keeps_recording(wanted.record_mode, wanted.listening->recording->size());
    }
    const auto told = parts.traces == nullptr ? on_end() : on_end(begun_trace(request, wanted));
    HttpResponse response;
    response.live =
        make_conversation({parts.host, parts.pools, parts.book, parts.gatekeeper, parts.speech, told, k_engine_limits},
                          std::move(wanted));
    return response;
  }

  /// For the engine, with its digest for the record. @throws Error{bad_request} for what is no sound
  static void hold(std::string_view recording, ConversationRequest& wanted) {
    try {
      wanted.listening->recording = std::make_shared<const engine::Recording>(recording);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::usage) throw;
      throw Error(ErrorCode::bad_request, "file: must be WAV, FLAC, MP3 or Ogg", std::string(error.hint()));
    }
    const auto& held = *wanted.listening->recording;
    wanted.engine.body["recording"] = {{"sha256", held.digest().hex()}, {"bytes", held.size()}};
  }

  void count(const ConversationEnd& end) {
    metrics.count(end);
    if (!end.unrecorded || told_unrecorded.exchange(true)) return;
    try {
      parts.log.append({.type = "record.missing",
                        .actor = parts.actor,
                        .outcome = Outcome::failure,
                        .subject = end.model,
                        .detail = R"({"why":"records cannot be written, and [record] when_unwritable is answer"})"});
    } catch (const std::exception&) {
      // The disk that has no room for records may have none for this; the metric counts them all.
    }
  }

  static RequestTrace begun_trace(const HttpRequest& request, const ConversationRequest& wanted) {
    RequestTrace trace;
    trace.parent = parse_traceparent(request.header("traceparent"));
    trace.endpoint = wanted.endpoint;
    trace.key_id = wanted.caller.key.id;
    trace.model = wanted.model.name;
    trace.request_id = std::string(request.id);
    trace.record_id = wanted.id;
    return trace;
  }

  /// Of texts and of speech, by name.
  std::vector<engine::Running> running() const {
    auto all = parts.host.running();
    for (auto& one : parts.speech.running()) all.push_back(std::move(one));
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.model < b.model; });
    return all;
  }
  std::vector<engine::LoadCounts> loads() const {
    auto all = parts.host.loads();
    for (auto& one : parts.speech.loads()) all.push_back(std::move(one));
    return engine::by_model(all);
  }

  std::function<void(const ConversationEnd&)> on_end() {
    return [this](const ConversationEnd& end) { count(end); };
  }
  std::function<void(const ConversationEnd&)> on_end(RequestTrace begun) {
    return [this, begun = std::move(begun)](const ConversationEnd& end) {
      count(end);
      auto trace = begun;
      trace.outcome = end.outcome;
      trace.prompt_tokens = end.prompt_tokens;
      trace.completion_tokens = end.completion_tokens;
      trace.ended = std::chrono::system_clock::now();
      trace.loaded = end.loaded;
      trace.ready = end.wait;
      trace.first = end.first;
      trace.total = end.total;
      parts.traces->add(std::move(trace));
    };
  }
};

Gateway::Gateway(GatewayParts parts) : m_impl(std::make_unique<Impl>(std::move(parts))) {}
Gateway::~Gateway() = default;

bool Gateway::serves(std::string_view path) {
  return path.starts_with("/v1/") || path.starts_with("/api/") || path.starts_with(RecordDesk::k_record_path) ||
         path == KeyDesk::k_keys_path || path.starts_with(KeyDesk::k_key_path);
}

std::optional<Error> Gateway::admit(const HttpRequest& request) {
  if (!serves(request.path)) return std::nullopt;
  try {
    m_impl->caller_of(request);
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

std::uint64_t Gateway::max_body(std::string_view method, std::string_view path) {
  if ((method != "POST" && method != "DELETE") || !serves(path)) return 0;
  return path.starts_with(k_audio) ? k_max_audio_request : k_request_limits.max_bytes;
}

std::uint64_t Gateway::max_local_body(std::string_view method, std::string_view path) {
  const bool recording = method == "POST" && path.starts_with(k_audio);
  return recording ? k_max_local_audio_request : max_body(method, path);
}

std::optional<HttpResponse> Gateway::refusal(std::string_view path, const Error& error) {
  if (!serves(path)) return std::nullopt;
  return problem_at(path, api_of(path), error);
}

HttpResponse Gateway::handle(const HttpRequest& request) {
  return m_impl->handle(request, api_of(request.path), &Impl::answer_any);
}

HttpResponse Gateway::handle_local(const HttpRequest& request) {
  return m_impl->handle(request, Api::local, &Impl::answer_local);
}

Json Gateway::status() const {
  return status_document(m_impl->running(), m_impl->loads(), m_impl->metrics.counts());
}

std::string Gateway::metrics() const {
  return m_impl->metrics.text(m_impl->running(), m_impl->loads(), m_impl->parts.book.counters(),
                              m_impl->parts.gatekeeper.failures()) +
         pool_metrics(m_impl->parts.pools.states()) +
         (m_impl->parts.traces != nullptr ? m_impl->parts.traces->metrics() : "");
}

}  // namespace liftlock
