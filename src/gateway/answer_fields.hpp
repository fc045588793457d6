// Reading what an engine answered. It is as foreign as what a client asks: a model's file decides what an engine does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"

namespace liftlock {

/// nullptr when it is absent, null, or this is no object.
const Json* answer_member(const Json& object, std::string_view key);
/// Empty when it is absent or no text.
std::string answer_text(const Json& object, std::string_view key);
/// 0 when it is absent or no such number.
std::uint64_t answer_count(const Json& object, std::string_view key);
/// The first choice. @throws Error{engine_failed} when there is none
const Json& answer_choice(const Json& answer);
/// Usage and timings, from wherever they are.
struct AnswerUse {
  std::uint64_t prompt_tokens = 0, cached_tokens = 0, answer_tokens = 0;
  double prompt_ms = 0, answer_ms = 0;  ///< 0: not told
};
AnswerUse answer_use(const Json& usage, const Json& timings);

/// A function that the model wants called.
struct ToolCall {
  std::string id, name;
  std::string arguments;  ///< JSON as the model wrote it
};
/// Those of a whole message.
std::vector<ToolCall> answer_tool_calls(const Json& message);
/// Adds the pieces that a chunk brings. @throws Error{engine_failed} past the limit of calls or bytes
void collect_tool_calls(const Json& delta, std::vector<ToolCall>& calls);
/// The arguments as an object. @throws Error{engine_failed} when the model wrote something else
Json arguments_of(const ToolCall& call);

}  // namespace liftlock
