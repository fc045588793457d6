// What an engine says in OpenAI's form, taken as a whole: one answer, one chunk of a stream, or a refusal. Its members:
// gateway/answer_fields.hpp.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/json.hpp"
#include "record/answer_parts.hpp"

namespace liftlock {

/// @throws Error{engine_failed}: what is no JSON is the engine's fault, and not the client's
Json parse_answer(std::string_view text);

/// Is that status not the request's fault, but one of an engine that is full, fails, or does not let us in?
bool is_engines_fault(int status);
/// Of an answer that is no answer. What engines say of it names their insides and pieces of prompts and templates: that
/// stays in the log that they write themselves.
Error engine_refusal(int status, std::string_view body);

/// The words in what an engine says, for the record: of one answer, or of a stream, chunk by chunk. Content, reasoning
/// and the arguments of tool calls are parts of their own (record/answer_parts.hpp), images are the JSON that holds
/// them, and what else a client gets is JSON.
class AnswerWords {
 public:
  std::string of(const Json& answer);

 private:
  std::string of_message(const Json& message);

  AnswerMarks m_marks;
};

}  // namespace liftlock
