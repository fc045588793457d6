#include "cli/canary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/model_serving.hpp"
#include "engine/memory_need.hpp"
#include "net/unix_client.hpp"
#include "store/catalog.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

using engine::ModelTask;
using Clock = std::chrono::steady_clock;

constexpr std::string_view k_where = "the canary's answer";
constexpr std::uint32_t k_samples_a_second = 16'000;
constexpr std::uint32_t k_seconds = 2;

/// What a host says on another thread.
template <typename Answer, typename Ask>
Answer answer_of(const Ask& ask) {
  using Said = std::variant<Answer, Error>;
  const auto promise = std::make_shared<std::promise<Said>>();
  ask([promise](Said said) { promise->set_value(std::move(said)); });
  auto said = promise->get_future().get();
  if (const auto* error = std::get_if<Error>(&said)) throw *error;
  return std::get<Answer>(std::move(said));
}

std::int64_t milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
}

UnixRequest request_for(ModelTask task, const std::string& prompt) {
  const auto post = [](std::string path, const Json& body) {
    return UnixRequest{.method = "POST",
                       .target = std::move(path),
                       .headers = {{"Content-Type", "application/json"}},
                       .body = dump_json_line(body)};
  };
  if (task == ModelTask::embeddings) return post("/v1/embeddings", {{"input", prompt}});
  if (task == ModelTask::reranking)
    return post("/v1/rerank", {{"query", prompt}, {"documents", Json::array({"Yes.", "No."})}});
  return post("/v1/chat/completions",
              {{"messages", {{{"role", "user"}, {"content", prompt}}}}, {"max_tokens", 64}, {"temperature", 0}});
}

std::string words_in(const Json& document) {
  std::string out;
  const auto& choices = array_member(document, "choices", k_where);
  if (choices.empty() || !choices[0].contains("message")) return out;
  const auto& message = choices[0]["message"];
  for (const auto* part : {"reasoning_content", "content"}) {
    if (const auto text = message.find(part); text != message.end() && text->is_string())
      out += text->get<std::string>();
  }
  return out;
}

/// A vector that has a direction.
bool is_vector(const Json& one) {
  const auto vector = one.find("embedding");
  return vector != one.end() && vector->is_array() &&
         std::all_of(vector->begin(), vector->end(), [](const Json& number) { return number.is_number(); }) &&
         std::any_of(vector->begin(), vector->end(), [](const Json& number) { return number.get<double>() != 0; });
}

bool is_ranked(const Json& one) {
  const auto score = one.find("relevance_score");
  return score != one.end() && score->is_number();
}

/// Empty where it is none of such a model.
std::string answer_in(ModelTask task, const Json& document) {
  if (task == ModelTask::text) return words_in(document);
  const bool ranks = task == ModelTask::reranking;
  const auto& all = array_member(document, ranks ? "results" : "data", k_where);
  const bool is_whole = all.size() == (ranks ? 2u : 1u) && std::all_of(all.begin(), all.end(), [&](const Json& one) {
                          return one.is_object() && (ranks ? is_ranked(one) : is_vector(one));
                        });
  return is_whole ? all.dump() : std::string();
}

/// PCM of 16 bits, mono.
std::string silence() {
  std::string out;
  const auto put = [&](std::uint32_t value, unsigned bytes) {
    for (; bytes > 0; --bytes, value >>= 8) out += static_cast<char>(value & 0xff);
  };
  constexpr std::uint32_t k_bytes = 2 * k_seconds * k_samples_a_second;
  out += "RIFF";
  put(36 + k_bytes, 4);
  out += "WAVEfmt ";
  put(16, 4);
  put(1, 2);
  put(1, 2);
  put(k_samples_a_second, 4);
  put(2 * k_samples_a_second, 4);
  put(2, 2);
  put(16, 2);
  out += "data";
  put(k_bytes, 4);
  return out + std::string(k_bytes, '\0');
}

/// The canary takes one request at a time; `serve` counts the memory of all its slots, and would refuse what has no
/// room for them after the alias moved. @throws Error{model_unfit}
void require_room(const Site& site, const engine::HostOptions& server, const Artifact& model) {
  const auto facts = Catalog(site.catalog_file(), Access::read).inspection(model);
  const auto need = engine::memory_need(model, facts, server.context, server.slots, server.gate.memory).total();
  const auto budget = server.memory_budget != 0 ? server.memory_budget : engine::default_memory_budget();
  if (need <= budget) return;
  throw Error(
      ErrorCode::model_unfit,
      fmt::format("`serve` would refuse '{}': it needs about {} for {} requests at a time, and engines may use {}",
                  printable(model.name), format_size(need), server.slots, format_size(budget)),
      "make context or slots smaller, or memory larger, under [models] of config.toml; `liftlock model fit` "
      "counts it");
}

Json let_it_hear(const Site& site, AuditLog& log, const std::string& actor, const Artifact& model) {
  auto settings = speech_options(site);
  settings.log_folder = site.logs_folder() / "canary";
  engine::SpeechHost host(std::move(settings), log, actor);
  const auto recording = std::make_shared<const engine::Recording>(std::string_view(silence()));
  const auto begin = Clock::now();
  const auto heard = answer_of<engine::Transcribed>(
      [&](const engine::SpeechHost::Got& got) { host.transcribe(model, actor, recording, {}, got); });
  return {{"engine", heard.engine},
          {"load_ms", nullptr},
          {"answer_ms", milliseconds_since(begin)},
          {"answer_bytes", heard.transcript.text().size()}};
}

}  // namespace

Json ask_canary(const Site& site, AuditLog& log, const std::string& actor, const Artifact& model, ModelTask task,
                const CanaryQuestion& question) {
  if (task == ModelTask::speech) return let_it_hear(site, log, actor, model);
  // The model itself, whatever is called by its name, and of several contents of one id that one.
  const auto named = content_name(model);
  auto settings = host_options(site);
  require_room(site, settings, model);
  settings.aliases_file.clear();
  settings.slots = 1;
  settings.log_folder = site.logs_folder() / "canary";
  engine::ModelHost host(std::move(settings), log, actor);
  const auto begin = Clock::now();
  const auto slot = answer_of<std::shared_ptr<engine::Lease>>(
      [&](const engine::ModelHost::Got& got) { host.lease(named, actor, std::chrono::seconds(0), got); });
  const auto load_ms = milliseconds_since(begin);
  const auto loaded = Clock::now();
  const UnixClient client(slot->socket(), {.max_header = 16u << 10,
                                           .max_body = 4u << 20,
                                           .idle = std::chrono::minutes(5),
                                           .total = std::chrono::minutes(10)});
  const auto response = client.request(request_for(task, question.prompt));
  std::string answer;
  if (response.status == 200)
    answer = answer_in(task, parse_json(response.body, {.max_bytes = 4u << 20, .max_depth = 32}));
  if (trim(answer).empty())
    fail(ErrorCode::engine_failed, "the canary got no answer (HTTP status {}): {}", response.status,
         printable(response.body.substr(0, 200)));
  if (to_lower(answer).find(to_lower(question.expect)) == std::string::npos)
    fail(ErrorCode::engine_failed, "the canary's answer does not hold '{}': {}", printable(question.expect),
         printable(answer.substr(0, 200)));
  return {{"engine", slot->engine()},
          {"load_ms", load_ms},
          {"answer_ms", milliseconds_since(loaded)},
          {"answer_bytes", answer.size()}};
}

}  // namespace liftlock
