#include "gateway/engine_answer.hpp"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "gateway/answer_fields.hpp"

namespace liftlock {
namespace {

/// Each is a part of its own; what an engine says beyond them stays with the others.
constexpr std::size_t k_most_calls = 128;

/// Of what an engine says: one answer, or one event of a stream.
constexpr JsonLimits k_answer_limits{.max_bytes = 64u << 20, .max_depth = 64};

const Json* images_of(const Json& answer) {
  const auto* data = answer.contains("choices") ? nullptr : answer_member(answer, "data");
  const bool are_images = data != nullptr && data->is_array() && !data->empty() && (*data)[0].contains("b64_json");
  return are_images ? data : nullptr;
}

/// What else a client gets of it: an engine may say something anywhere, and all that it says is on record.
/// @param known members that are recorded otherwise, or that say nothing
Json others_of(const Json& object, std::initializer_list<std::string_view> known) {
  auto others = Json::object();
  if (!object.is_object()) return others;
  for (const auto& [key, value] : object.items()) {
    const bool is_known = std::find(known.begin(), known.end(), key) != known.end();
    const bool is_text = value.is_string() && (key == "content" || key == "reasoning_content" || key == "text");
    const bool is_nothing = value.is_null() || (value.is_structured() && value.empty());
    if (!is_known && !is_text && !is_nothing) others[key] = value;
  }
  return others;
}

std::string json_or_nothing(const Json& others) {
  return others.empty() ? std::string() : dump_json_line(others);
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

std::string AnswerWords::of(const Json& answer) {
  if (const auto* images = images_of(answer)) return m_marks.piece(k_content_part, dump_json_line(*images));
  std::string words;
  const auto* choices = answer_member(answer, "choices");
  if (choices == nullptr || !choices->is_array()) return words;
  for (const auto& choice : *choices) {
    words += m_marks.piece(k_content_part, answer_text(choice, "text"));
    for (const auto* key : {"delta", "message"}) {
      if (const auto* message = answer_member(choice, key)) words += of_message(*message);
    }
    const auto others = others_of(choice, {"index", "finish_reason", "stop_reason", "delta", "message"});
    words += m_marks.piece(k_other_part, json_or_nothing(others));
  }
  return words;
}

std::string AnswerWords::of_message(const Json& message) {
  std::string words = m_marks.piece("reasoning", answer_text(message, "reasoning_content"));
  auto others = others_of(message, {"role"});
  // As newer vLLM names it; where it gives both, the text would stand there twice, token by token.
  if (const auto thought = answer_text(message, "reasoning"); words.empty() && !thought.empty()) {
    words += m_marks.piece("reasoning", thought);
    others.erase("reasoning");
  }
  words += m_marks.piece(k_content_part, answer_text(message, "content"));
  if (const auto calls = others.find("tool_calls"); calls != others.end() && calls->is_array()) {
    for (std::size_t i = 0; i < std::min(calls->size(), k_most_calls); ++i) {
      auto& call = (*calls)[i];
      const auto* function = answer_member(call, "function");
      const auto arguments = function == nullptr ? std::string() : answer_text(*function, "arguments");
      if (arguments.empty()) continue;
      const auto number = call.contains("index") ? answer_count(call, "index") : i;
      if (number >= k_most_calls) continue;
      words += m_marks.piece(fmt::format("call {}", number), arguments);
      call["function"].erase("arguments");
      if (call["function"].empty()) call.erase("function");
    }
    const auto says_nothing = [](const Json& call) {
      return call.empty() || (call.size() == 1 && call.contains("index") && call.at("index").is_number_unsigned());
    };
    if (std::all_of(calls->begin(), calls->end(), says_nothing)) others.erase("tool_calls");
  }
  return words + m_marks.piece(k_other_part, json_or_nothing(others));
}

}  // namespace liftlock
