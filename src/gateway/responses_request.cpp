// OpenAI's responses in terms of its chat: what a conversation of texts and functions needs. What would need an answer
// to be kept here (previous_response_id, conversation, background) is refused.
#include <algorithm>

#include "base/error.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/offline.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock {
namespace {

Json part_of(const Json& part, const std::string& path) {
  FieldReader fields(part, path);
  const auto type = fields.need_text("type", k_max_name);
  fields.ignore({"annotations", "logprobs", "detail"});
  if (type == "input_text" || type == "output_text" || type == "text") {
    Json out = {{"type", "text"}, {"text", require_string(fields.need("text"), k_any_text, fields.path_of("text"))}};
    fields.finish();
    return out;
  }
  if (type != "input_image") refuse_field(fields.path_of("type"), "must be input_text, output_text or input_image");
  Json out = {{"type", "image_url"}, {"image_url", {{"url", fields.need_text("image_url", k_any_text)}}}};
  fields.finish();
  return out;
}

Json content_of(const Json& content, const std::string& path) {
  if (!content.is_array()) return content;
  auto parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    parts.push_back(part_of(content[i], fmt::format("{}[{}]", path, i)));
  }
  return parts;
}

void add_call(FieldReader& fields, Json& messages) {
  const Json call = {
      {"id", fields.need_text("call_id", k_max_name)},
      {"type", "function"},
      {"function",
       {{"name", fields.need_text("name", k_max_name)}, {"arguments", fields.need_text("arguments", k_any_text)}}}};
  // Calls that were made at once are one message in chat.
  if (!messages.empty() && messages.back().contains("tool_calls")) {
    messages.back()["tool_calls"].push_back(call);
  } else {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array({call})}});
  }
}

void add_item(const Json& item, const std::string& path, Json& messages) {
  FieldReader fields(item, path);
  const auto type = fields.text("type", k_max_name);
  fields.ignore({"id", "status"});
  if (type.empty() || type == "message") {
    messages.push_back({{"role", fields.need_text("role", k_max_name)},
                        {"content", content_of(fields.need("content"), fields.path_of("content"))}});
  } else if (type == "function_call") {
    add_call(fields, messages);
  } else if (type == "function_call_output") {
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", fields.need_text("call_id", k_max_name)},
                        {"content", content_of(fields.need("output"), fields.path_of("output"))}});
  } else if (type == "reasoning") {
    fields.ignore({"summary", "content", "encrypted_content"});
  } else {
    refuse_field(fields.path_of("type"), "must be message, function_call, function_call_output or reasoning");
  }
  fields.finish();
}

Json tool_of(const Json& tool, const std::string& path) {
  FieldReader fields(tool, path);
  if (const auto type = fields.need_text("type", k_max_name); type != "function") {
    refuse_online_tool(type, fields.path_of("type"));
    refuse_field(fields.path_of("type"), "must be function: no other tools are run here");
  }
  for (const auto* key : {"name", "description", "parameters", "strict"}) {
    if (const auto* value = fields.find(key)) fields.out()[key] = *value;
  }
  return {{"type", "function"}, {"function", fields.finish()}};
}

Json tool_choice_of(const Json& choice, const std::string& path) {
  if (!choice.is_object()) return choice;
  FieldReader fields(choice, path);
  const auto type = fields.need_text("type", k_max_name);
  const Json out = {{"type", type}, {"function", {{"name", fields.need_text("name", k_max_name)}}}};
  fields.finish();
  return out;
}

Json format_of(const Json& format, const std::string& path) {
  FieldReader fields(format, path);
  const auto type = fields.need_text("type", k_max_name);
  for (const auto* key : {"name", "schema", "strict", "description"}) {
    if (const auto* value = fields.find(key)) fields.out()[key] = *value;
  }
  auto inner = fields.finish();
  Json out = {{"type", type}};
  if (type == "json_schema") out["json_schema"] = std::move(inner);
  return out;
}

}  // namespace

EngineRequest narrow_responses_request(const Json& body) {
  FieldReader fields(body, "");
  auto& chat = fields.out();
  auto messages = Json::array();
  if (const auto instructions = fields.text("instructions", k_any_text); !instructions.empty()) {
    messages.push_back({{"role", "system"}, {"content", instructions}});
  }
  const auto& input = fields.need("input");
  if (input.is_string()) {
    messages.push_back({{"role", "user"}, {"content", input}});
  } else {
    const auto* items = fields.array("input", 10'000);
    for (std::size_t i = 0; i < items->size(); ++i) add_item((*items)[i], fmt::format("input[{}]", i), messages);
  }
  chat["messages"] = std::move(messages);
  for (const auto* key :
       {"model", "temperature", "top_p", "parallel_tool_calls", "top_logprobs", "stream", "stream_options"}) {
    if (const auto* value = fields.find(key)) chat[key] = *value;
  }
  if (const auto* tokens = fields.find("max_output_tokens")) chat["max_completion_tokens"] = *tokens;
  if (const auto* tools = fields.array("tools", 128)) {
    chat["tools"] = Json::array();
    for (std::size_t i = 0; i < tools->size(); ++i) {
      chat["tools"].push_back(tool_of((*tools)[i], fmt::format("tools[{}]", i)));
    }
  }
  if (const auto* choice = fields.find("tool_choice")) chat["tool_choice"] = tool_choice_of(*choice, "tool_choice");
  if (const auto* text = fields.find("text")) {
    FieldReader inner(*text, "text");
    inner.ignore({"verbosity"});
    if (const auto* format = inner.find("format")) chat["response_format"] = format_of(*format, "text.format");
    inner.finish();
  }
  if (fields.boolean("background", false)) refuse_field("background", "must be false: answers are not kept here");
  for (const auto* key : {"previous_response_id", "conversation", "prompt"}) {
    if (fields.find(key) != nullptr) refuse_field(key, "is not supported: send the whole conversation as input");
  }
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "reasoning", "truncation", "include", "max_tool_calls"});
  return narrow_chat_request(fields.finish());
}

}  // namespace liftlock
