// Answers of engines to /v1/completions as OpenAI's older API has them:
// https://platform.openai.com/docs/api-reference/completions. Engines give ids and log probabilities in chat's form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/json.hpp"

namespace liftlock {

/// Of one answer: in one piece, or chunk by chunk.
class CompletionTranslator {
 public:
  /// @param id "cmpl-…"
  /// @param most_alternatives of each token, beside the one that was chosen
  CompletionTranslator(std::string id, std::size_t most_alternatives)
      : m_id(std::move(id)), m_most_alternatives(most_alternatives) {}

  /// Log probabilities that have the older form already stay as they are.
  /// @param answer as the engine gave it
  Json feed(Json answer);

 private:
  Json logprobs(const Json& content);
  std::string m_id;
  std::size_t m_most_alternatives;
  std::uint64_t m_offset = 0;  ///< of the next token in the whole text, in characters
};

}  // namespace liftlock
