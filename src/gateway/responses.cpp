#include "gateway/responses.hpp"

#include "base/error.hpp"

namespace liftlock::responses {
namespace {

constexpr std::size_t k_max_text = 64u << 20;

Json text_part(std::string_view text) {
  return {{"type", "output_text"}, {"text", text}, {"annotations", Json::array()}, {"logprobs", Json::array()}};
}

Json message_item(std::string_view id, std::string_view status, Json content) {
  return {{"type", "message"}, {"id", id}, {"status", status}, {"role", "assistant"}, {"content", std::move(content)}};
}

Json call_item(std::string_view id, std::string_view status, const ToolCall& call) {
  return {{"type", "function_call"}, {"id", id},          {"status", status},
          {"call_id", call.id},      {"name", call.name}, {"arguments", call.arguments}};
}

std::string id_of(const AnswerFacts& facts, std::string_view prefix, std::size_t index) {
  return fmt::format("{}_{}_{}", prefix, facts.id.substr(facts.id.find('_') + 1), index);
}

Json usage_of(const Json& usage) {
  if (!usage.is_object()) return nullptr;
  const auto use = answer_use(usage, Json());
  return {{"input_tokens", use.prompt_tokens},
          {"input_tokens_details", {{"cached_tokens", use.cached_tokens}}},
          {"output_tokens", use.answer_tokens},
          {"output_tokens_details", {{"reasoning_tokens", 0}}},
          {"total_tokens", use.prompt_tokens + use.answer_tokens}};
}

/// All members that the official clients' types require.
Json document(const AnswerFacts& facts, std::string_view status, Json output, const Json& usage) {
  Json out = {{"id", facts.id},
              {"object", "response"},
              {"created_at", facts.created.time_since_epoch().count()},
              {"status", status},
              {"error", nullptr},
              {"incomplete_details", nullptr},
              {"instructions", nullptr},
              {"metadata", Json::object()},
              {"model", facts.model},
              {"output", std::move(output)},
              {"parallel_tool_calls", true},
              {"previous_response_id", nullptr},
              {"store", false},
              {"temperature", nullptr},
              {"tool_choice", "auto"},
              {"tools", Json::array()},
              {"top_p", nullptr},
              {"usage", usage_of(usage)}};
  if (status == "incomplete") out["incomplete_details"] = {{"reason", "max_output_tokens"}};
  return out;
}

std::string_view status_of(std::string_view finish_reason) {
  return finish_reason == "length" ? "incomplete" : "completed";
}

}  // namespace

Json answer(const Json& openai, const AnswerFacts& facts) {
  const auto& choice = answer_choice(openai);
  const auto* said = answer_member(choice, "message");
  if (said == nullptr) fail(ErrorCode::engine_failed, "the engine's answer has no message");
  const auto status = status_of(answer_text(choice, "finish_reason"));
  auto output = Json::array();
  if (const auto text = answer_text(*said, "content"); !text.empty()) {
    output.push_back(message_item(id_of(facts, "msg", 0), status, Json::array({text_part(text)})));
  }
  for (const auto& call : answer_tool_calls(*said)) {
    output.push_back(call_item(id_of(facts, "fc", output.size()), status, call));
  }
  const auto* usage = answer_member(openai, "usage");
  return document(facts, status, std::move(output), usage == nullptr ? Json() : *usage);
}

std::string StreamTranslator::event(std::string_view type, Json data) {
  data["type"] = type;
  data["sequence_number"] = m_sequence++;
  return fmt::format("event: {}\ndata: {}\n\n", type, dump_json_line(data));
}

std::string StreamTranslator::start() {
  if (m_started) return {};
  m_started = true;
  const Json data = {{"response", document(m_facts, "in_progress", Json::array(), Json())}};
  const auto created = event("response.created", data);
  return created + event("response.in_progress", data);
}

std::string StreamTranslator::item_id() const {
  return id_of(m_facts, m_item == Item::text ? "msg" : "fc", m_output.size());
}

Json StreamTranslator::item(std::string_view status) const {
  if (m_item == Item::call) return call_item(item_id(), status, m_call);
  const bool begun = status == "in_progress";
  return message_item(item_id(), status, begun ? Json::array() : Json::array({text_part(m_text)}));
}

std::string StreamTranslator::begin(Item kind) {
  auto out = end_item();
  m_item = kind;
  out += event("response.output_item.added", {{"output_index", m_output.size()}, {"item", item("in_progress")}});
  if (kind == Item::text) {
    out += event(
        "response.content_part.added",
        {{"item_id", item_id()}, {"output_index", m_output.size()}, {"content_index", 0}, {"part", text_part("")}});
  }
  return out;
}

std::string StreamTranslator::end_text() {
  const Json place = {{"item_id", item_id()}, {"output_index", m_output.size()}, {"content_index", 0}};
  auto text = place, part = place;
  text["text"] = m_text;
  text["logprobs"] = Json::array();
  part["part"] = text_part(m_text);
  const auto done = event("response.output_text.done", std::move(text));
  return done + event("response.content_part.done", std::move(part));
}

std::string StreamTranslator::end_item() {
  if (m_item == Item::none) return {};
  auto out = m_item == Item::text ? end_text()
                                  : event("response.function_call_arguments.done", {{"item_id", item_id()},
                                                                                    {"output_index", m_output.size()},
                                                                                    {"name", m_call.name},
                                                                                    {"arguments", m_call.arguments}});
  auto whole = item(m_finish_reason == "length" ? "incomplete" : "completed");
  out += event("response.output_item.done", {{"output_index", m_output.size()}, {"item", whole}});
  m_output.push_back(std::move(whole));
  m_item = Item::none;
  m_text.clear();
  m_call = {};
  return out;
}

std::string StreamTranslator::feed_text(std::string text) {
  auto out = m_item == Item::text ? std::string() : begin(Item::text);
  // The last events say it all once more.
  if (m_text.size() + text.size() > k_max_text)
    fail(ErrorCode::engine_failed, "an answer of more than {} bytes", k_max_text);
  m_text += text;
  return out + event("response.output_text.delta", {{"item_id", item_id()},
                                                    {"output_index", m_output.size()},
                                                    {"content_index", 0},
                                                    {"logprobs", Json::array()},
                                                    {"delta", std::move(text)}});
}

std::string StreamTranslator::feed_call(const Json& piece) {
  const auto* function = answer_member(piece, "function");
  if (function == nullptr) return {};
  std::string out;
  const auto index = answer_count(piece, "index");
  if (m_item != Item::call || index != m_call_index) {
    const auto name = answer_text(*function, "name");
    if (name.empty()) fail(ErrorCode::engine_failed, "tool calls come in no order");
    out = end_item();
    m_call = {.id = answer_text(piece, "id"), .name = name, .arguments = {}};
    m_call_index = index;
    out += begin(Item::call);
  }
  auto arguments = answer_text(*function, "arguments");
  if (arguments.empty()) return out;
  if (m_call.arguments.size() + arguments.size() > k_max_text) {
    fail(ErrorCode::engine_failed, "a tool call of more than {} bytes", k_max_text);
  }
  m_call.arguments += arguments;
  return out + event("response.function_call_arguments.delta",
                     {{"item_id", item_id()}, {"output_index", m_output.size()}, {"delta", std::move(arguments)}});
}

std::string StreamTranslator::feed(const Json& chunk) {
  auto out = start();
  if (const auto* usage = answer_member(chunk, "usage")) m_usage = *usage;
  const auto* choices = answer_member(chunk, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return out;
  const auto& choice = choices->front();
  if (auto reason = answer_text(choice, "finish_reason"); !reason.empty()) m_finish_reason = std::move(reason);
  const auto* said = answer_member(choice, "delta");
  if (said == nullptr) return out;
  if (auto text = answer_text(*said, "content"); !text.empty()) out += feed_text(std::move(text));
  const auto* calls = answer_member(*said, "tool_calls");
  if (calls == nullptr || !calls->is_array()) return out;
  for (const auto& call : *calls) out += feed_call(call);
  return out;
}

std::string StreamTranslator::finish() {
  auto out = start();
  out += end_item();
  const auto status = status_of(m_finish_reason);
  return out + event(fmt::format("response.{}", status), {{"response", document(m_facts, status, m_output, m_usage)}});
}

std::string StreamTranslator::broken(std::string_view code, std::string_view message) {
  return event("error", {{"code", code}, {"message", message}, {"param", nullptr}});
}

}  // namespace liftlock::responses
