// Ollama's API in terms of OpenAI's, so that its clients work unchanged. Field names: Ollama's api/types.go and
// docs/api.md (0.12). Each request is translated and then narrowed as one of OpenAI's is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "ecosystem/ollama/defaults.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock::ollama {

struct Request {
  EngineRequest engine;
  /// How long the model stays loaded afterwards; negative: as long as the server runs. Zero: unload it now.
  std::optional<std::chrono::seconds> keep_alive;
  /// Without a prompt or messages: only load the model (or unload it, with keep_alive 0).
  bool only_load = false;
};

// Each @throws Error{bad_request} as narrow_chat_request() does.
Request chat_request(const Json& request);      ///< POST /api/chat → /v1/chat/completions
Request generate_request(const Json& request);  ///< POST /api/generate → /v1/chat/completions, or completions when raw
Request embed_request(const Json& request);     ///< POST /api/embed → /v1/embeddings
Request embeddings_request(const Json& request);  ///< POST /api/embeddings (the old form) → /v1/embeddings

struct PullRequest {
  std::string model;
  bool stream = true;
};
PullRequest pull_request(const Json& request);  ///< POST /api/pull. @throws Error{bad_request}

/// Which document an answer becomes.
enum class Endpoint : std::uint8_t { chat, generate };

/// What the engine does not say of an answer.
struct AnswerFacts {
  std::string model;  ///< as the client named it
  Timestamp created;
  std::chrono::nanoseconds total{}, load{};
};

/// The whole answer (`stream: false`). @throws Error{engine_failed} when it is no answer of OpenAI's form
Json answer(Endpoint endpoint, const Json& openai, const AnswerFacts& facts);
Json embed_answer(const Json& openai, const AnswerFacts& facts);
Json embeddings_answer(const Json& openai);
/// The answer to a request that only loads or unloads.
Json load_answer(Endpoint endpoint, const AnswerFacts& facts, std::string_view done_reason);
/// {"error": "…"}: of every failure, also in the middle of a stream.
Json error_answer(std::string_view message);

/// Chunks of OpenAI's stream in, lines of NDJSON out. Tool calls come in pieces there and whole here, so they are held
/// until the end.
class StreamTranslator {
 public:
  StreamTranslator(Endpoint endpoint, AnswerFacts facts) : m_endpoint(endpoint), m_facts(std::move(facts)) {}
  /// One chunk (the data of one event, but not "[DONE]"); the lines that it gives, each with its '\n', or nothing.
  /// @throws Error{engine_failed}
  std::string feed(const Json& chunk);
  /// The last lines, with `done: true`. @param total from the request to now
  /// @throws Error{engine_failed} when a tool call is not what it should be
  std::string finish(std::chrono::nanoseconds total);

 private:
  Endpoint m_endpoint;
  AnswerFacts m_facts;
  std::string m_finish_reason;
  Json m_usage, m_timings;
  std::vector<ToolCall> m_tool_calls;
};

/// What the documents say of a model.
struct ModelCard {
  std::string name;    ///< "demo:latest": with a tag, as clients expect
  std::string model;   ///< in the catalog, or POOL/MODEL: aliases and roles lead to it
  std::string digest;  ///< 64 hex digits
  std::uint64_t size = 0;
  Timestamp modified{};
  std::string architecture, parameters, quantisation;  ///< "llama", "3.2M", "Q8_0"; empty when not known
  std::string chat_template, licence;
  std::uint64_t context = 0, parameter_count = 0;
  Defaults defaults;  ///< of one that is shown
  bool tools = false, vision = false, embedding = false;
  // of a loaded one
  std::optional<Timestamp> expires;
  std::uint64_t memory = 0;
};

Json tags(const std::vector<ModelCard>& models);  ///< GET /api/tags
Json ps(const std::vector<ModelCard>& loaded);    ///< GET /api/ps
Json show(const ModelCard& model);                ///< POST /api/show
/// The model that a request of /api/show names. @throws Error{bad_request}
std::string show_request(const Json& request);
Json version();  ///< GET /api/version: the version of Ollama whose API this is

}  // namespace liftlock::ollama
