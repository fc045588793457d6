#include "gateway/ollama.hpp"

#include <algorithm>
#include <array>
#include <deque>

#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/chat_fields.hpp"

namespace liftlock::ollama {
namespace {

using std::chrono::seconds;

/// Of a keep_alive without end.
constexpr seconds k_for_ever{-1};
constexpr double k_max_keep_alive = 10.0 * 365 * 86'400;

/// A duration of Go without its fractions and small units: "5m", "1h30m", "-1s".
seconds parse_keep_alive(std::string_view text) {
  const auto refuse = [] [[noreturn]] {
    refuse_field("keep_alive", "must be seconds, or a duration like 5m or 1h30m");
  };
  if (text.starts_with('-')) return k_for_ever;
  double total = 0;
  for (auto rest = text; !rest.empty();) {
    const auto digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    const auto number = parse_uint(rest.substr(0, digits));
    rest.remove_prefix(digits);
    if (!number) refuse();
    const bool is_ms = rest.starts_with("ms");
    // Only nothing needs no unit.
    const auto unit = !rest.empty() ? rest.front() : *number == 0 ? 's' : '?';
    const double factor = is_ms ? 0.001 : unit == 'h' ? 3600 : unit == 'm' ? 60 : unit == 's' ? 1 : 0;
    if (factor == 0) refuse();
    total += static_cast<double>(*number) * factor;
    rest.remove_prefix(std::min<std::size_t>(rest.size(), is_ms ? 2 : 1));
  }
  if (text.empty() || total > k_max_keep_alive) refuse();
  return seconds(static_cast<std::int64_t>(total));
}

std::optional<seconds> read_keep_alive(FieldReader& fields) {
  const auto* value = fields.find("keep_alive");
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return parse_keep_alive(value->get_ref<const std::string&>());
  require_number(*value, -1e12, k_max_keep_alive, "keep_alive");
  const auto number = value->get<double>();
  return number < 0 ? k_for_ever : seconds(static_cast<std::int64_t>(number));
}

/// Options of Ollama's Modelfile. Those that say where and how a model is loaded are Liftlock's to decide, yet clients
/// send them with every request: known, and of no effect.
void read_options(FieldReader& fields, Json& out, EngineRequest& engine) {
  const auto* options = fields.find("options");
  if (options == nullptr) return;
  FieldReader inner(*options, "options");
  for (const auto* key : {"temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "repeat_penalty",
                          "presence_penalty", "frequency_penalty", "seed", "stop"}) {
    if (const auto* value = inner.find(key)) out[key] = *value;
  }
  if (const auto* tokens = inner.find("num_predict")) {
    // -1: as many as it takes; -2: until the context is full.
    const auto number = require_integer(*tokens, -2, 1'000'000, "options.num_predict");
    if (number > 0) {
      out["max_tokens"] = number;
    } else {
      engine.unwanted.insert("max_tokens");
    }
  }
  inner.ignore({"num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread", "use_mmap", "use_mlock",
                "numa", "low_vram", "f16_kv", "vocab_only", "logits_all", "mirostat", "mirostat_eta", "mirostat_tau",
                "tfs_z", "penalize_newline", "draft_num_predict"});
  inner.finish();
}

void read_format(FieldReader& fields, Json& out) {
  const auto* format = fields.find("format");
  if (format == nullptr || *format == "") return;
  if (*format == "json") {
    out["response_format"] = {{"type", "json_object"}};
  } else if (format->is_object()) {
    out["response_format"] = {{"type", "json_schema"}, {"json_schema", {{"name", "format"}, {"schema", *format}}}};
  } else {
    refuse_field("format", "must be \"json\" or a JSON schema");
  }
}

void read_think(FieldReader& fields, Json& out) {
  const auto* think = fields.find("think");
  if (think == nullptr) return;
  if (!think->is_boolean() && *think != "low" && *think != "medium" && *think != "high") {
    refuse_field("think", "must be true, false, low, medium or high");
  }
  out["chat_template_kwargs"] = {{"enable_thinking", *think != false}};
}

/// The kind of an image by its first bytes, in base64: Ollama's clients do not say it.
std::string data_url(const Json& image, const std::string& path) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> k_kinds = {
      {{"iVBORw0KGgo", "png"}, {"/9j/", "jpeg"}, {"R0lGOD", "gif"}, {"UklGR", "webp"}}};
  const auto& data = require_string(image, k_any_text, path);
  for (const auto& [magic, kind] : k_kinds) {
    if (data.starts_with(magic)) return fmt::format("data:image/{};base64,{}", kind, data);
  }
  refuse_field(path, "must be a PNG, JPEG, GIF or WebP image in base64");
}

/// A text, or with images the parts of one message.
Json content_with_images(FieldReader& fields, std::string text) {
  const auto* images = fields.array("images", 16);
  if (images == nullptr || images->empty()) return text;
  auto parts = Json::array({Json{{"type", "text"}, {"text", std::move(text)}}});
  for (std::size_t i = 0; i < images->size(); ++i) {
    const auto path = fmt::format("{}[{}]", fields.path_of("images"), i);
    parts.push_back({{"type", "image_url"}, {"image_url", {{"url", data_url((*images)[i], path)}}}});
  }
  return parts;
}

/// Calls and their results are told apart by ids in chat, and by their order in Ollama.
class CallIds {
 public:
  std::string begin(std::string id, const std::string& name) {
    if (id.empty()) id = fmt::format("call_{}", m_count);
    ++m_count;
    m_open.emplace_back(id, name);
    return id;
  }
  /// Of the oldest call without a result, to that tool if it is named.
  std::string end(const std::string& name) {
    const auto found = std::find_if(m_open.begin(), m_open.end(),
                                    [&](const auto& call) { return name.empty() || call.second == name; });
    if (found == m_open.end()) return "call_unknown";
    auto id = found->first;
    m_open.erase(found);
    return id;
  }

 private:
  std::size_t m_count = 0;
  std::deque<std::pair<std::string, std::string>> m_open;
};

Json tool_call_of(const Json& call, const std::string& path, CallIds& ids) {
  FieldReader fields(call, path);
  FieldReader function(fields.need("function"), fields.path_of("function"));
  const auto name = function.need_text("name", k_max_name);
  function.ignore({"index"});
  const auto* arguments = function.find("arguments");
  if (arguments != nullptr && !arguments->is_object()) {
    refuse_field(function.path_of("arguments"), "must be an object");
  }
  function.finish();
  Json out = {{"id", ids.begin(fields.text("id", k_max_name), name)},
              {"type", "function"},
              {"function", {{"name", name}, {"arguments", arguments == nullptr ? "{}" : dump_json_line(*arguments)}}}};
  fields.ignore({"type"});
  fields.finish();
  return out;
}

Json message_of(const Json& message, const std::string& path, CallIds& ids) {
  FieldReader fields(message, path);
  const auto role = to_lower(fields.need_text("role", k_max_name));
  auto& out = fields.out();
  out["role"] = role;
  out["content"] = content_with_images(fields, fields.text("content", k_any_text));
  if (const auto* calls = fields.array("tool_calls", 128)) {
    for (std::size_t i = 0; i < calls->size(); ++i) {
      out["tool_calls"].push_back(
          tool_call_of((*calls)[i], fmt::format("{}[{}]", fields.path_of("tool_calls"), i), ids));
    }
  }
  if (const auto thinking = fields.text("thinking", k_any_text); !thinking.empty() && role == "assistant") {
    out["reasoning_content"] = thinking;
  }
  auto id = fields.text("tool_call_id", k_max_name);
  const auto tool = fields.text("tool_name", k_max_name);
  if (role == "tool") out["tool_call_id"] = id.empty() ? ids.end(tool) : id;
  return fields.finish();
}

/// What chat and generate have in common; `chat` is the request of OpenAI's that grows.
Request start(FieldReader& fields, Json& chat) {
  Request request;
  request.engine.model = fields.need_text("model", k_max_name);
  chat["model"] = request.engine.model;
  request.keep_alive = read_keep_alive(fields);
  request.engine.stream = fields.boolean("stream", true);
  chat["stream"] = request.engine.stream;
  read_options(fields, chat, request.engine);
  fields.ignore({"truncate", "shift"});
  return request;
}

void read_chat_options(FieldReader& fields, Json& chat) {
  read_format(fields, chat);
  read_think(fields, chat);
  if (fields.boolean("logprobs", false)) refuse_field("logprobs", "is not supported here: use /v1/chat/completions");
  fields.ignore({"top_logprobs"});
}

void use(Request& request, EngineRequest narrowed) {
  narrowed.unwanted.merge(request.engine.unwanted);
  request.engine = std::move(narrowed);
  // Usage is part of the last line here.
  request.engine.drop_usage_chunk = false;
}

std::string_view done_reason(std::string_view finish_reason) {
  return finish_reason == "length" ? "length" : "stop";
}

std::int64_t nanoseconds(double milliseconds) {
  return milliseconds > 0 && milliseconds < 1e12 ? static_cast<std::int64_t>(milliseconds * 1e6) : 0;
}

Json head(const AnswerFacts& facts) {
  return {{"model", facts.model}, {"created_at", format_time(facts.created)}};
}

/// The words of an answer, whole or a piece of them.
void put_text(Json& out, Endpoint endpoint, std::string text, std::string thinking) {
  if (endpoint == Endpoint::chat) {
    out["message"] = {{"role", "assistant"}, {"content", std::move(text)}};
    if (!thinking.empty()) out["message"]["thinking"] = std::move(thinking);
  } else {
    out["response"] = std::move(text);
    if (!thinking.empty()) out["thinking"] = std::move(thinking);
  }
}

void put_calls(Json& out, Endpoint endpoint, const std::vector<ToolCall>& calls) {
  auto& place = endpoint == Endpoint::chat ? out["message"] : out;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Json call = {{"function", {{"index", i}, {"name", calls[i].name}, {"arguments", arguments_of(calls[i])}}}};
    if (!calls[i].id.empty()) call["id"] = calls[i].id;
    place["tool_calls"].push_back(std::move(call));
  }
}

void put_end(Json& out, std::string_view finish_reason, const AnswerFacts& facts, const AnswerUse& use) {
  out["done"] = true;
  out["done_reason"] = done_reason(finish_reason);
  out["total_duration"] = facts.total.count();
  out["load_duration"] = facts.load.count();
  out["prompt_eval_count"] = use.prompt_tokens;
  out["prompt_eval_duration"] = nanoseconds(use.prompt_ms);
  out["eval_count"] = use.answer_tokens;
  // An engine that does not tell: all that is not loading.
  out["eval_duration"] =
      use.answer_ms > 0 ? nanoseconds(use.answer_ms) : std::max<std::int64_t>(0, (facts.total - facts.load).count());
}

Json member_or_null(const Json& object, std::string_view key) {
  const auto* value = answer_member(object, key);
  return value == nullptr ? Json() : *value;
}

}  // namespace

Request chat_request(const Json& body) {
  FieldReader fields(body, "");
  Json chat;
  auto request = start(fields, chat);
  read_chat_options(fields, chat);
  if (const auto* tools = fields.find("tools")) chat["tools"] = *tools;
  CallIds ids;
  chat["messages"] = Json::array();
  if (const auto* messages = fields.array("messages", 10'000)) {
    for (std::size_t i = 0; i < messages->size(); ++i) {
      chat["messages"].push_back(message_of((*messages)[i], fmt::format("messages[{}]", i), ids));
    }
  }
  fields.finish();
  request.only_load = chat["messages"].empty();
  if (!request.only_load) use(request, narrow_chat_request(chat));
  return request;
}

Request generate_request(const Json& body) {
  FieldReader fields(body, "");
  Json chat;
  auto request = start(fields, chat);
  const auto prompt = fields.text("prompt", k_any_text);
  const auto system = fields.text("system", k_any_text);
  const bool raw = fields.boolean("raw", false);
  for (const auto* key : {"suffix", "template"}) {
    if (!fields.text(key, k_any_text).empty()) refuse_field(key, "is not supported");
  }
  // Tokens of an earlier answer: Ollama's own have them, ours never do.
  if (const auto* context = fields.array("context", 1'000'000); context != nullptr && !context->empty()) {
    refuse_field("context", "is not supported: send the conversation to /api/chat");
  }
  request.only_load = prompt.empty();
  if (raw) {
    fields.ignore({"images", "format", "think", "logprobs", "top_logprobs"});
    fields.finish();
    if (request.only_load) return request;
    chat["prompt"] = prompt;
    use(request, narrow_completion_request(chat));
    return request;
  }
  read_chat_options(fields, chat);
  chat["messages"] = Json::array();
  if (!system.empty()) chat["messages"].push_back({{"role", "system"}, {"content", system}});
  chat["messages"].push_back({{"role", "user"}, {"content", content_with_images(fields, prompt)}});
  fields.finish();
  if (!request.only_load) use(request, narrow_chat_request(chat));
  return request;
}

Request embed_request(const Json& body) {
  FieldReader fields(body, "");
  Request request;
  request.keep_alive = read_keep_alive(fields);
  Json embeddings = {{"model", fields.need_text("model", k_max_name)}, {"encoding_format", "float"}};
  embeddings["input"] = fields.need("input");
  if (const auto* dimensions = fields.find("dimensions"); dimensions != nullptr && *dimensions != 0) {
    embeddings["dimensions"] = *dimensions;
  }
  fields.ignore({"truncate", "options"});
  fields.finish();
  request.engine = narrow_embeddings_request(embeddings);
  return request;
}

Request embeddings_request(const Json& body) {
  FieldReader fields(body, "");
  Request request;
  request.keep_alive = read_keep_alive(fields);
  const Json embeddings = {{"model", fields.need_text("model", k_max_name)},
                           {"encoding_format", "float"},
                           {"input", fields.need_text("prompt", k_any_text)}};
  fields.ignore({"options"});
  fields.finish();
  request.engine = narrow_embeddings_request(embeddings);
  return request;
}

Json answer(Endpoint endpoint, const Json& openai, const AnswerFacts& facts) {
  const auto& choice = answer_choice(openai);
  auto out = head(facts);
  // Of /v1/completions the text stands in the choice itself.
  const auto* message = answer_member(choice, "message");
  if (message == nullptr) {
    put_text(out, endpoint, answer_text(choice, "text"), {});
  } else {
    put_text(out, endpoint, answer_text(*message, "content"), answer_text(*message, "reasoning_content"));
    put_calls(out, endpoint, answer_tool_calls(*message));
  }
  put_end(out, answer_text(choice, "finish_reason"), facts,
          answer_use(member_or_null(openai, "usage"), member_or_null(openai, "timings")));
  return out;
}

Json embed_answer(const Json& openai, const AnswerFacts& facts) {
  const auto* data = answer_member(openai, "data");
  if (data == nullptr || !data->is_array()) fail(ErrorCode::engine_failed, "the engine's answer has no embeddings");
  auto embeddings = Json::array();
  // In the order of the inputs, whatever order the engine found.
  for (std::size_t i = 0; i < data->size(); ++i) embeddings.push_back(nullptr);
  for (const auto& one : *data) {
    const auto index = answer_count(one, "index");
    const auto* embedding = answer_member(one, "embedding");
    if (index >= embeddings.size() || embedding == nullptr || !embedding->is_array() || !embeddings[index].is_null()) {
      fail(ErrorCode::engine_failed, "the engine's embeddings are not one for each input");
    }
    embeddings[index] = *embedding;
  }
  return {{"model", facts.model},
          {"embeddings", std::move(embeddings)},
          {"total_duration", facts.total.count()},
          {"load_duration", facts.load.count()},
          {"prompt_eval_count", answer_use(member_or_null(openai, "usage"), Json()).prompt_tokens}};
}

Json embeddings_answer(const Json& openai) {
  auto embeddings = embed_answer(openai, {})["embeddings"];
  if (embeddings.size() != 1) fail(ErrorCode::engine_failed, "the engine's embeddings are not one for each input");
  return {{"embedding", std::move(embeddings[0])}};
}

Json load_answer(Endpoint endpoint, const AnswerFacts& facts, std::string_view reason) {
  auto out = head(facts);
  put_text(out, endpoint, "", "");
  out["done"] = true;
  out["done_reason"] = reason;
  return out;
}

Json error_answer(std::string_view message) {
  return {{"error", message}};
}

std::string StreamTranslator::feed(const Json& chunk) {
  if (auto usage = member_or_null(chunk, "usage"); !usage.is_null()) m_usage = std::move(usage);
  if (auto timings = member_or_null(chunk, "timings"); !timings.is_null()) m_timings = std::move(timings);
  const auto* choices = answer_member(chunk, "choices");
  if (choices == nullptr || !choices->is_array() || choices->empty()) return {};
  const auto& choice = choices->front();
  if (auto reason = answer_text(choice, "finish_reason"); !reason.empty()) m_finish_reason = std::move(reason);
  const auto* delta = answer_member(choice, "delta");
  auto text = delta == nullptr ? answer_text(choice, "text") : answer_text(*delta, "content");
  auto thinking = delta == nullptr ? std::string() : answer_text(*delta, "reasoning_content");
  if (delta != nullptr) collect_tool_calls(*delta, m_tool_calls);
  if (text.empty() && thinking.empty()) return {};
  auto line = head(m_facts);
  put_text(line, m_endpoint, std::move(text), std::move(thinking));
  line["done"] = false;
  return dump_json_line(line) + "\n";
}

std::string StreamTranslator::finish(std::chrono::nanoseconds total) {
  m_facts.total = total;
  std::string lines;
  if (!m_tool_calls.empty()) {
    auto line = head(m_facts);
    put_text(line, m_endpoint, "", "");
    put_calls(line, m_endpoint, m_tool_calls);
    line["done"] = false;
    lines = dump_json_line(line) + "\n";
  }
  auto last = head(m_facts);
  put_text(last, m_endpoint, "", "");
  put_end(last, m_finish_reason, m_facts, answer_use(m_usage, m_timings));
  return lines + dump_json_line(last) + "\n";
}

}  // namespace liftlock::ollama
