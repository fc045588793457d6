#include "gateway/answer_fields.hpp"

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_calls = 128;
constexpr std::size_t k_max_arguments = 16u << 20;

double answer_number(const Json& object, std::string_view key) {
  const auto* value = answer_member(object, key);
  return value != nullptr && value->is_number() ? value->get<double>() : 0;
}

void add_piece(const Json& piece, std::vector<ToolCall>& calls) {
  const auto index = answer_count(piece, "index");
  // Calls come one after the other; an index further on would have us make room for all between.
  if (index > calls.size() || index >= k_max_calls) fail(ErrorCode::engine_failed, "tool calls come in no order");
  if (index == calls.size()) calls.emplace_back();
  auto& call = calls[index];
  if (const auto id = answer_text(piece, "id"); !id.empty()) call.id = id;
  const auto* function = answer_member(piece, "function");
  if (function == nullptr) return;
  call.name += answer_text(*function, "name");
  call.arguments += answer_text(*function, "arguments");
  if (call.name.size() + call.arguments.size() > k_max_arguments) {
    fail(ErrorCode::engine_failed, "a tool call of more than {} bytes", k_max_arguments);
  }
}

}  // namespace

const Json* answer_member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string answer_text(const Json& object, std::string_view key) {
  const auto* value = answer_member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::uint64_t answer_count(const Json& object, std::string_view key) {
  const auto* value = answer_member(object, key);
  return value != nullptr && value->is_number_unsigned() ? value->get<std::uint64_t>() : 0;
}

const Json& answer_choice(const Json& answer) {
  const auto* choices = answer_member(answer, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty() || !choices->front().is_object()) {
    fail(ErrorCode::engine_failed, "the engine's answer has no choices");
  }
  return choices->front();
}

AnswerUse answer_use(const Json& usage, const Json& timings) {
  AnswerUse use{.prompt_tokens = answer_count(usage, "prompt_tokens"),
                .answer_tokens = answer_count(usage, "completion_tokens"),
                .prompt_ms = answer_number(timings, "prompt_ms"),
                .answer_ms = answer_number(timings, "predicted_ms")};
  if (const auto* details = answer_member(usage, "prompt_tokens_details")) {
    use.cached_tokens = answer_count(*details, "cached_tokens");
  }
  return use;
}

std::vector<ToolCall> answer_tool_calls(const Json& message) {
  std::vector<ToolCall> calls;
  const auto* list = answer_member(message, "tool_calls");
  if (list == nullptr || !list->is_array()) return calls;
  if (list->size() > k_max_calls) fail(ErrorCode::engine_failed, "{} tool calls in one answer", list->size());
  for (const auto& one : *list) {
    const auto* function = answer_member(one, "function");
    if (function == nullptr) fail(ErrorCode::engine_failed, "a tool call without a function");
    calls.push_back({.id = answer_text(one, "id"),
                     .name = answer_text(*function, "name"),
                     .arguments = answer_text(*function, "arguments")});
  }
  return calls;
}

void collect_tool_calls(const Json& delta, std::vector<ToolCall>& calls) {
  const auto* pieces = answer_member(delta, "tool_calls");
  if (pieces == nullptr || !pieces->is_array()) return;
  for (const auto& piece : *pieces) add_piece(piece, calls);
}

Json arguments_of(const ToolCall& call) {
  if (call.arguments.empty()) return Json::object();
  try {
    auto arguments = parse_json(call.arguments, k_request_limits);
    if (arguments.is_object()) return arguments;
  } catch (const Error&) {
    // Said below.
  }
  fail(ErrorCode::engine_failed, "the model calls '{}' with arguments that are no JSON object",
       printable(std::string_view(call.name).substr(0, 100)));
}

}  // namespace liftlock
