// The APIs that the gateway speaks, as ways of saying what an engine answered in OpenAI's form.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/openai_request.hpp"
#include "net/http.hpp"

namespace liftlock {

/// How one answer is said to its client. Made for each request; used by one thread.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// Of a stream; answers in one piece are JSON everywhere.
  virtual std::string_view stream_type() const = 0;
  /// The body of an answer in one piece.
  /// @param data the answer as it came
  virtual std::string whole(std::string data, const Json& answer) = 0;
  /// What follows from one chunk of the engine's stream; may be nothing.
  /// @param data the chunk as it came
  virtual std::string chunk(std::string_view data, const Json& chunk) = 0;
  /// The end of a stream that was whole.
  virtual std::string finish() = 0;
  /// The end of a stream that broke.
  virtual std::string broken(const Error& error) = 0;
};

/// The forms of failures. `local`: OpenAI's form with all that is known, for the commands of this machine.
enum class Api : std::uint8_t { openai, ollama, anthropic, local };
/// A failure before the answer began, in the form that the clients of each API read. Headers as problem_response().
HttpResponse api_problem(Api api, const Error& error);

/// @param drop_usage_chunk see EngineRequest
std::unique_ptr<Dialect> openai_dialect(bool drop_usage_chunk, Api failures = Api::openai);
/// @param id, most_alternatives as CompletionTranslator takes them
std::unique_ptr<Dialect> completions_dialect(bool drop_usage_chunk, Api failures, std::string id,
                                             std::size_t most_alternatives);
std::unique_ptr<Dialect> responses_dialect(std::string id, std::string model);
enum class OllamaAnswer : std::uint8_t { chat, generate, embed, embeddings };
std::unique_ptr<Dialect> ollama_dialect(OllamaAnswer answer, std::string model);
std::unique_ptr<Dialect> anthropic_dialect(std::string id, std::string model);
/// Of Anthropic's count_tokens, which is never a stream.
std::unique_ptr<Dialect> count_tokens_dialect();

}  // namespace liftlock
