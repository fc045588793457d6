#include "gateway/anthropic.hpp"

#include "base/error.hpp"
#include "gateway/answer_fields.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/offline.hpp"

namespace liftlock::anthropic {
namespace {

std::string text_block(const Json& block, const std::string& path) {
  FieldReader fields(block, path);
  if (fields.need_text("type", k_max_name) != "text") refuse_field(fields.path_of("type"), "must be text");
  auto text = require_string(fields.need("text"), k_any_text, fields.path_of("text"));
  fields.ignore({"cache_control", "citations"});
  fields.finish();
  return text;
}

/// A text, or blocks of text, which are joined.
std::string joined_text(const Json& value, const std::string& path) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) refuse_field(path, "must be a text, or an array of text blocks");
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i > 0) out += "\n\n";
    out += text_block(value[i], fmt::format("{}[{}]", path, i));
  }
  return out;
}

Json image_part(const Json& block, const std::string& path) {
  FieldReader fields(block, path);
  fields.ignore({"type", "cache_control"});
  FieldReader source(fields.need("source"), fields.path_of("source"));
  if (source.need_text("type", k_max_name) != "base64") {
    refuse_field(source.path_of("type"), "must be base64: no address is read");
  }
  const auto url = fmt::format("data:{};base64,{}", source.need_text("media_type", k_max_name),
                               source.need_text("data", k_any_text));
  require_image(url, source.path_of("data"));
  source.finish();
  fields.finish();
  return {{"type", "image_url"}, {"image_url", {{"url", url}}}};
}

std::string type_of(const Json& block, const std::string& path) {
  if (!block.is_object()) refuse_field(path, "must be an object");
  const auto found = block.find("type");
  if (found == block.end()) refuse_field(path + ".type", "is missing");
  return require_string(*found, k_max_name, path + ".type");
}

Json tool_message(const Json& block, const std::string& path) {
  FieldReader fields(block, path);
  fields.ignore({"type", "cache_control"});
  const auto* content = fields.find("content");
  auto text = content == nullptr ? std::string() : joined_text(*content, fields.path_of("content"));
  if (fields.boolean("is_error", false)) text = "Error: " + text;
  Json out = {
      {"role", "tool"}, {"tool_call_id", fields.need_text("tool_use_id", k_max_name)}, {"content", std::move(text)}};
  fields.finish();
  return out;
}

Json tool_call(const Json& block, const std::string& path) {
  FieldReader fields(block, path);
  fields.ignore({"type", "cache_control", "caller"});
  const auto& input = fields.need("input");
  if (!input.is_object()) refuse_field(fields.path_of("input"), "must be an object");
  Json out = {{"id", fields.need_text("id", k_max_name)},
              {"type", "function"},
              {"function", {{"name", fields.need_text("name", k_max_name)}, {"arguments", dump_json_line(input)}}}};
  fields.finish();
  return out;
}

/// Results of tools are messages of their own in chat, and stand before what the user says beside them.
void add_user(const Json& content, const std::string& path, Json& messages) {
  auto parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto at = fmt::format("{}[{}]", path, i);
    const auto type = type_of(content[i], at);
    if (type == "text") {
      parts.push_back({{"type", "text"}, {"text", text_block(content[i], at)}});
    } else if (type == "image") {
      parts.push_back(image_part(content[i], at));
    } else if (type == "tool_result") {
      messages.push_back(tool_message(content[i], at));
    } else {
      refuse_field(at + ".type", "must be text, image or tool_result");
    }
  }
  if (!parts.empty()) messages.push_back({{"role", "user"}, {"content", std::move(parts)}});
}

void add_assistant(const Json& content, const std::string& path, Json& messages) {
  Json message = {{"role", "assistant"}};
  std::string text, thinking;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto at = fmt::format("{}[{}]", path, i);
    const auto type = type_of(content[i], at);
    if (type == "text") {
      text += text_block(content[i], at);
    } else if (type == "tool_use") {
      message["tool_calls"].push_back(tool_call(content[i], at));
    } else if (type == "thinking") {
      FieldReader fields(content[i], at);
      thinking += fields.text("thinking", k_any_text);
      fields.ignore({"type", "signature", "cache_control"});
      fields.finish();
    } else if (type != "redacted_thinking") {
      refuse_field(at + ".type", "must be text, tool_use, thinking or redacted_thinking");
    }
  }
  message["content"] = text.empty() && message.contains("tool_calls") ? Json() : Json(text);
  if (!thinking.empty()) message["reasoning_content"] = thinking;
  messages.push_back(std::move(message));
}

void add_message(const Json& message, const std::string& path, Json& messages) {
  FieldReader fields(message, path);
  const auto role = fields.need_text("role", k_max_name);
  const auto& content = fields.need("content");
  fields.finish();
  if (role != "user" && role != "assistant") refuse_field(path + ".role", "must be user or assistant");
  const auto at = path + ".content";
  if (content.is_string()) {
    messages.push_back({{"role", role}, {"content", content}});
  } else if (!content.is_array()) {
    refuse_field(at, "must be a text, or an array of blocks");
  } else if (role == "user") {
    add_user(content, at, messages);
  } else {
    add_assistant(content, at, messages);
  }
}

Json tool_of(const Json& tool, const std::string& path) {
  FieldReader fields(tool, path);
  if (const auto type = fields.text("type", k_max_name); !type.empty() && type != "custom") {
    refuse_online_tool(type, fields.path_of("type"));
    refuse_field(fields.path_of("type"), "must be custom: no other tools are run here");
  }
  Json function = {{"name", fields.need_text("name", k_max_name)}, {"parameters", fields.need("input_schema")}};
  if (const auto* description = fields.find("description")) function["description"] = *description;
  fields.ignore(
      {"cache_control", "strict", "input_examples", "allowed_callers", "defer_loading", "eager_input_streaming"});
  fields.finish();
  return {{"type", "function"}, {"function", std::move(function)}};
}

void read_tool_choice(const Json& choice, Json& chat) {
  FieldReader fields(choice, "tool_choice");
  const auto type = fields.need_text("type", k_max_name);
  if (type == "tool") {
    chat["tool_choice"] = {{"type", "function"}, {"function", {{"name", fields.need_text("name", k_max_name)}}}};
  } else if (type == "any") {
    chat["tool_choice"] = "required";
  } else if (type == "auto" || type == "none") {
    chat["tool_choice"] = type;
  } else {
    refuse_field("tool_choice.type", "must be auto, any, tool or none");
  }
  if (fields.boolean("disable_parallel_tool_use", false)) chat["parallel_tool_calls"] = false;
  fields.finish();
}

void read_thinking(const Json& thinking, Json& chat) {
  FieldReader fields(thinking, "thinking");
  const auto type = fields.need_text("type", k_max_name);
  if (type != "enabled" && type != "disabled" && type != "adaptive") {
    refuse_field("thinking.type", "must be enabled, adaptive or disabled");
  }
  fields.ignore({"budget_tokens", "display"});
  fields.finish();
  chat["chat_template_kwargs"] = {{"enable_thinking", type != "disabled"}};
}

/// A form for the answer; how hard to think is the model's own affair.
void read_output_config(const Json& config, Json& chat) {
  FieldReader fields(config, "output_config");
  fields.ignore({"effort"});
  if (const auto* format = fields.find("format")) {
    FieldReader inner(*format, fields.path_of("format"));
    if (inner.need_text("type", k_max_name) != "json_schema")
      refuse_field(inner.path_of("type"), "must be json_schema");
    chat["response_format"] = {{"type", "json_schema"},
                               {"json_schema", {{"name", "output"}, {"schema", inner.need("schema")}}}};
    inner.finish();
  }
  fields.finish();
}

std::string_view stop_reason(std::string_view finish_reason) {
  if (finish_reason == "length") return "max_tokens";
  if (finish_reason == "tool_calls" || finish_reason == "function_call") return "tool_use";
  return finish_reason == "content_filter" ? "refusal" : "end_turn";
}

Json usage_of(const Json& usage) {
  const auto use = answer_use(usage, Json());
  return {{"input_tokens", use.prompt_tokens - std::min(use.prompt_tokens, use.cached_tokens)},
          {"cache_read_input_tokens", use.cached_tokens},
          {"cache_creation_input_tokens", 0},
          {"output_tokens", use.answer_tokens}};
}

Json skeleton(std::string_view id, std::string_view model) {
  return {{"id", id},
          {"type", "message"},
          {"role", "assistant"},
          {"model", model},
          {"content", Json::array()},
          {"stop_reason", nullptr},
          {"stop_sequence", nullptr},
          {"usage", usage_of(Json())}};
}

/// What messages and count_tokens have in common; `chat` is the request of OpenAI's that grows.
EngineRequest finish_request(FieldReader& fields, Json chat) {
  auto messages = Json::array();
  if (const auto* system = fields.find("system")) {
    if (auto text = joined_text(*system, "system"); !text.empty()) {
      messages.push_back({{"role", "system"}, {"content", std::move(text)}});
    }
  }
  if (const auto* given = fields.array("messages", 10'000)) {
    for (std::size_t i = 0; i < given->size(); ++i) add_message((*given)[i], fmt::format("messages[{}]", i), messages);
  }
  chat["messages"] = std::move(messages);
  if (const auto* temperature = fields.find("temperature")) {
    require_number(*temperature, 0, 1, "temperature");
    chat["temperature"] = *temperature;
  }
  for (const auto* key : {"top_p", "top_k", "stream"}) {
    if (const auto* value = fields.find(key)) chat[key] = *value;
  }
  if (const auto* stop = fields.array("stop_sequences", 16)) chat["stop"] = *stop;
  if (const auto* tools = fields.array("tools", 128)) {
    chat["tools"] = Json::array();
    for (std::size_t i = 0; i < tools->size(); ++i) {
      chat["tools"].push_back(tool_of((*tools)[i], fmt::format("tools[{}]", i)));
    }
  }
  if (const auto* choice = fields.find("tool_choice")) read_tool_choice(*choice, chat);
  if (const auto* thinking = fields.find("thinking")) read_thinking(*thinking, chat);
  if (const auto* config = fields.find("output_config")) read_output_config(*config, chat);
  if (const auto* servers = fields.array("mcp_servers", 16); servers != nullptr && !servers->empty()) {
    refuse_online_tool("mcp", "mcp_servers");
  }
  fields.ignore({"metadata", "service_tier", "cache_control", "inference_geo", "speed", "user_profile_id"});
  fields.finish();
  auto request = narrow_chat_request(chat);
  // Usage is part of message_delta here.
  request.drop_usage_chunk = false;
  return request;
}

}  // namespace

EngineRequest messages_request(const Json& body) {
  FieldReader fields(body, "");
  Json chat = {{"model", fields.need("model")}, {"max_tokens", fields.need("max_tokens")}};
  return finish_request(fields, std::move(chat));
}

EngineRequest count_tokens_request(const Json& body) {
  FieldReader fields(body, "");
  Json chat = {{"model", fields.need("model")}};
  auto request = finish_request(fields, std::move(chat));
  request.path = "/v1/chat/completions/input_tokens";
  request.stream = false;  // a count is one answer, whatever was asked
  request.body.erase("stream");
  request.body.erase("stream_options");
  return request;
}

Json token_count(const Json& openai) {
  const auto* tokens = answer_member(openai, "input_tokens");
  if (tokens == nullptr || !tokens->is_number_unsigned()) {
    fail(ErrorCode::engine_failed, "the engine did not count the tokens");
  }
  return {{"input_tokens", *tokens}};
}

Json message(const Json& openai, std::string_view id, std::string_view model) {
  const auto& choice = answer_choice(openai);
  const auto* said = answer_member(choice, "message");
  if (said == nullptr) fail(ErrorCode::engine_failed, "the engine's answer has no message");
  auto out = skeleton(id, model);
  auto& content = out["content"];
  if (auto thinking = answer_text(*said, "reasoning_content"); !thinking.empty()) {
    content.push_back({{"type", "thinking"}, {"thinking", std::move(thinking)}, {"signature", ""}});
  }
  if (auto text = answer_text(*said, "content"); !text.empty()) {
    content.push_back({{"type", "text"}, {"text", std::move(text)}});
  }
  for (const auto& call : answer_tool_calls(*said)) {
    content.push_back({{"type", "tool_use"}, {"id", call.id}, {"name", call.name}, {"input", arguments_of(call)}});
  }
  out["stop_reason"] = stop_reason(answer_text(choice, "finish_reason"));
  if (const auto* usage = answer_member(openai, "usage")) out["usage"] = usage_of(*usage);
  return out;
}

Json error_answer(int http_status, std::string_view message) {
  const auto* type = http_status == 401   ? "authentication_error"
                     : http_status == 403 ? "permission_error"
                     : http_status == 404 ? "not_found_error"
                     : http_status == 413 ? "request_too_large"
                     : http_status == 429 ? "rate_limit_error"
                     : http_status == 503 ? "overloaded_error"
                     : http_status >= 500 ? "api_error"
                                          : "invalid_request_error";
  return {{"type", "error"}, {"error", {{"type", type}, {"message", message}}}};
}

std::string event(std::string_view name, const Json& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, dump_json_line(data));
}

std::string StreamTranslator::start() {
  if (m_started) return {};
  m_started = true;
  return event("message_start", {{"type", "message_start"}, {"message", skeleton(m_id, m_model)}});
}

std::string StreamTranslator::close_block() {
  if (m_block == Block::none) return {};
  m_block = Block::none;
  return event("content_block_stop", {{"type", "content_block_stop"}, {"index", m_blocks - 1}});
}

std::string StreamTranslator::open_block(Block kind, const Json& block) {
  auto out = close_block();
  m_block = kind;
  return out + event("content_block_start",
                     {{"type", "content_block_start"}, {"index", m_blocks++}, {"content_block", block}});
}

std::string StreamTranslator::delta(const Json& what) const {
  return event("content_block_delta", {{"type", "content_block_delta"}, {"index", m_blocks - 1}, {"delta", what}});
}

std::string StreamTranslator::feed_tool_call(const Json& call) {
  const auto* function = answer_member(call, "function");
  if (function == nullptr) return {};
  std::string out;
  const auto index = answer_count(call, "index");
  if (m_block != Block::tool || index != m_tool) {
    const auto name = answer_text(*function, "name");
    if (name.empty()) fail(ErrorCode::engine_failed, "tool calls come in no order");
    m_tool = index;
    out =
        open_block(Block::tool,
                   {{"type", "tool_use"}, {"id", answer_text(call, "id")}, {"name", name}, {"input", Json::object()}});
  }
  if (auto arguments = answer_text(*function, "arguments"); !arguments.empty()) {
    out += delta({{"type", "input_json_delta"}, {"partial_json", std::move(arguments)}});
  }
  return out;
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
  if (auto thinking = answer_text(*said, "reasoning_content"); !thinking.empty()) {
    if (m_block != Block::thinking) {
      out += open_block(Block::thinking, {{"type", "thinking"}, {"thinking", ""}, {"signature", ""}});
    }
    out += delta({{"type", "thinking_delta"}, {"thinking", std::move(thinking)}});
  }
  if (auto text = answer_text(*said, "content"); !text.empty()) {
    if (m_block != Block::text) out += open_block(Block::text, {{"type", "text"}, {"text", ""}});
    out += delta({{"type", "text_delta"}, {"text", std::move(text)}});
  }
  const auto* calls = answer_member(*said, "tool_calls");
  if (calls == nullptr || !calls->is_array()) return out;
  for (const auto& call : *calls) out += feed_tool_call(call);
  return out;
}

std::string StreamTranslator::finish() {
  auto out = start() + close_block();
  out += event("message_delta", {{"type", "message_delta"},
                                 {"delta", {{"stop_reason", stop_reason(m_finish_reason)}, {"stop_sequence", nullptr}}},
                                 {"usage", usage_of(m_usage)}});
  return out + event("message_stop", {{"type", "message_stop"}});
}

}  // namespace liftlock::anthropic
