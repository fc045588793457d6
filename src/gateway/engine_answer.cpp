#include "gateway/engine_answer.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "gateway/answer_fields.hpp"

namespace liftlock {
namespace {

/// Of what an engine says: one answer, or one event of a stream.
constexpr JsonLimits k_answer_limits{.max_bytes = 64u << 20, .max_depth = 64};

const Json* images_of(const Json& answer) {
  const auto* data = answer.contains("choices") ? nullptr : answer_member(answer, "data");
  const bool are_images = data != nullptr && data->is_array() && !data->empty() && (*data)[0].contains("b64_json");
  return are_images ? data : nullptr;
}

/// What else a client gets of it, as JSON: an engine may say something anywhere, and all that it says is on record.
/// @param known members that are recorded otherwise, or that say nothing
void append_others(std::string& out, const Json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return;
  auto others = Json::object();
  for (const auto& [key, value] : object.items()) {
    const bool is_known = std::find(known.begin(), known.end(), key) != known.end();
    const bool is_text = value.is_string() && (key == "content" || key == "reasoning_content" || key == "text");
    const bool is_nothing = value.is_null() || (value.is_structured() && value.empty());
    if (!is_known && !is_text && !is_nothing) others[key] = value;
  }
  if (!others.empty()) out += dump_json_line(others);
}

}  // namespace

Json parse_answer(std::string_view text) {
  try {
    return parse_json(text, k_answer_limits);
  } catch (const Error&) {
    throw Error(ErrorCode::engine_failed, "the engine's answer is not JSON, or too large");
  }
}

bool is_engines_fault(int status) {
  return status == 401 || status == 403 || status == 429 || status >= 500;
}

Error engine_refusal(int status, std::string_view body) {
  std::string type;
  try {
    const auto document = parse_json(body, {.max_bytes = 1u << 20, .max_depth = 16});
    if (const auto* error = answer_member(document, "error")) type = answer_text(*error, "type");
  } catch (const Error&) {
    // The status says enough.
  }
  if (type == "exceed_context_size_error") {
    return {ErrorCode::context_exceeded, "the prompt is too long: it has more tokens than the context of the model"};
  }
  if (status == 429 || status == 503) {
    return {ErrorCode::overloaded, fmt::format("the engine refused with status {}: it is full", status)};
  }
  if (is_engines_fault(status)) {
    return {ErrorCode::engine_failed, fmt::format("the engine failed at this request, with status {}", status)};
  }
  return {ErrorCode::bad_request,
          fmt::format("the engine refused with status {}: it cannot do what the request asks of it; see its tools, "
                      "schemas, images and sampling fields",
                      status)};
}

std::string words_of(const Json& answer) {
  std::string words;
  if (const auto* images = images_of(answer)) return dump_json_line(*images);
  const auto* choices = answer_member(answer, "choices");
  if (choices == nullptr || !choices->is_array()) return words;
  for (const auto& choice : *choices) {
    words += answer_text(choice, "text");
    append_others(words, choice, {"index", "finish_reason", "stop_reason", "delta", "message"});
    for (const auto* key : {"delta", "message"}) {
      const auto* message = answer_member(choice, key);
      if (message == nullptr) continue;
      words += answer_text(*message, "reasoning_content");
      words += answer_text(*message, "content");
      if (const auto* calls = answer_member(*message, "tool_calls")) words += dump_json_line(*calls);
      append_others(words, *message, {"role", "tool_calls"});
    }
  }
  return words;
}

}  // namespace liftlock
