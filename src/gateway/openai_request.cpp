#include "gateway/openai_request.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "gateway/chat_fields.hpp"
#include "gateway/offline.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_messages = 10'000;
constexpr std::size_t k_max_parts = 1000;
constexpr std::size_t k_max_images = 16;
constexpr std::size_t k_max_tools = 128;
constexpr std::size_t k_max_description = 32u << 10;
constexpr std::size_t k_max_grammar = 64u << 10;
constexpr std::size_t k_max_stops = 16;
constexpr std::size_t k_max_bias = 1000;
constexpr std::int64_t k_max_answer = 1'000'000;
constexpr std::int64_t k_max_token = 10'000'000;

std::string at(std::string_view path, std::size_t index) {
  return fmt::format("{}[{}]", path, index);
}

/// Tools have names of letters, digits and "_-." here: an engine makes grammar rules of them.
std::string require_tool_name(const Json& value, std::string_view path) {
  const auto& name = require_string(value, 128, path);
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
  if (name.empty() || !plain) refuse_field(path, "must be 1 to 128 letters, digits, '_', '-' or '.'");
  return name;
}

/// Counts images over the whole request.
struct Images {
  std::size_t count = 0;
};

Json narrow_part(const Json& part, const std::string& path, bool may_have_images, Images& images) {
  FieldReader fields(part, path);
  const auto type = fields.need_choice("type", {"text", "image_url"});
  fields.out()["type"] = type;
  if (type == "text") {
    fields.need("text");
    fields.pass_text("text", k_any_text);
    fields.ignore({"cache_control"});
    return fields.finish();
  }
  if (!may_have_images) refuse_field(path, "only the user may send images");
  if (++images.count > k_max_images) refuse_field(path, fmt::format("a request may have {} images", k_max_images));
  FieldReader image(fields.need("image_url"), fields.path_of("image_url"));
  const auto url = image.need_text("url", k_any_text);
  require_image(url, image.path_of("url"));
  image.ignore({"detail"});
  image.out()["url"] = url;
  fields.out()["image_url"] = image.finish();
  return fields.finish();
}

Json narrow_content(const Json& content, const std::string& path, bool may_have_images, Images& images) {
  if (content.is_string()) return content;
  if (!content.is_array() || content.size() > k_max_parts) {
    refuse_field(path, fmt::format("must be a text, or an array of at most {} parts", k_max_parts));
  }
  auto parts = Json::array();
  for (std::size_t i = 0; i < content.size(); ++i) {
    parts.push_back(narrow_part(content[i], at(path, i), may_have_images, images));
  }
  return parts;
}

Json narrow_tool_call(const Json& call, const std::string& path) {
  FieldReader fields(call, path);
  fields.pass_text("id", k_max_name);
  if (const auto* type = fields.find("type")) {
    require_choice(require_string(*type, k_max_name, fields.path_of("type")), {"function"}, fields.path_of("type"));
  }
  fields.out()["type"] = "function";
  fields.ignore({"index"});
  FieldReader function(fields.need("function"), fields.path_of("function"));
  function.out()["name"] = require_tool_name(function.need("name"), function.path_of("name"));
  function.need("arguments");
  function.pass_text("arguments", k_any_text);
  fields.out()["function"] = function.finish();
  return fields.finish();
}

Json narrow_message(const Json& message, const std::string& path, Images& images) {
  FieldReader fields(message, path);
  auto role = fields.need_choice("role", {"system", "developer", "user", "assistant", "tool"});
  // Chat templates of models know no developer.
  if (role == "developer") role = "system";
  auto& out = fields.out();
  out["role"] = role;
  if (const auto* calls = fields.array("tool_calls", k_max_tools)) {
    if (role != "assistant") refuse_field(fields.path_of("tool_calls"), "only the assistant calls tools");
    const auto calls_path = fields.path_of("tool_calls");
    for (std::size_t i = 0; i < calls->size(); ++i) {
      out["tool_calls"].push_back(narrow_tool_call((*calls)[i], at(calls_path, i)));
    }
  }
  if (const auto* content = fields.find("content")) {
    out["content"] = narrow_content(*content, fields.path_of("content"), role == "user", images);
  } else if (role != "assistant") {
    refuse_field(fields.path_of("content"), "is missing");
  } else {
    out["content"] = out.contains("tool_calls") ? Json(nullptr) : Json("");
  }
  fields.pass_text("name", k_max_name);
  if (role == "tool") fields.pass_text("tool_call_id", k_max_name);
  if (role == "assistant") {
    fields.pass_text("reasoning_content", k_any_text);
    // Of an answer that is sent back as it came.
    fields.ignore({"refusal", "annotations", "audio", "function_call"});
  }
  return fields.finish();
}

Json narrow_tool(const Json& tool, const std::string& path) {
  FieldReader fields(tool, path);
  refuse_online_tool(fields.need_text("type", k_max_name), fields.path_of("type"));
  fields.out()["type"] = fields.need_choice("type", {"function"});
  FieldReader function(fields.need("function"), fields.path_of("function"));
  function.out()["name"] = require_tool_name(function.need("name"), function.path_of("name"));
  function.pass_text("description", k_max_description);
  if (const auto* parameters = function.find("parameters")) {
    require_schema(*parameters, function.path_of("parameters"));
    function.out()["parameters"] = *parameters;
  }
  function.pass_boolean("strict");
  fields.out()["function"] = function.finish();
  return fields.finish();
}

/// Engines know the words only, so one tool by name becomes: this tool alone, and it must be called.
void narrow_tool_choice(const Json& choice, const std::string& path, Json& out) {
  if (choice.is_string()) {
    out["tool_choice"] = require_choice(choice.get_ref<const std::string&>(), {"none", "auto", "required"}, path);
    return;
  }
  FieldReader fields(choice, path);
  fields.need_choice("type", {"function"});
  FieldReader function(fields.need("function"), fields.path_of("function"));
  const auto name = function.need_text("name", k_max_name);
  function.finish();
  fields.finish();
  auto& tools = out["tools"];
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [&](const Json& tool) { return tool.at("function").at("name") == name; });
  if (found == tools.end()) refuse_field(path, "names a tool that is not among the tools");
  tools = Json::array({Json(*found)});
  out["tool_choice"] = "required";
}

void narrow_tools(FieldReader& fields) {
  const auto* tools = fields.array("tools", k_max_tools);
  auto& out = fields.out();
  if (tools != nullptr && !tools->empty()) {
    out["tools"] = Json::array();
    for (std::size_t i = 0; i < tools->size(); ++i) {
      out["tools"].push_back(narrow_tool((*tools)[i], at(fields.path_of("tools"), i)));
    }
  }
  if (const auto* choice = fields.find("tool_choice")) {
    narrow_tool_choice(*choice, fields.path_of("tool_choice"), out);
  }
  fields.pass_boolean("parallel_tool_calls");
  // Without tools there is nothing to choose, and some engines refuse to.
  if (!out.contains("tools") || out["tools"].empty()) {
    for (const auto* key : {"tools", "tool_choice", "parallel_tool_calls"}) out.erase(key);
  }
}

Json narrow_response_format(const Json& format, const std::string& path) {
  FieldReader fields(format, path);
  const auto type = fields.need_choice("type", {"text", "json_object", "json_schema"});
  fields.out()["type"] = type;
  if (type != "json_schema") return fields.finish();
  FieldReader schema(fields.need("json_schema"), fields.path_of("json_schema"));
  schema.pass_text("name", k_max_name);
  schema.ignore({"description"});
  schema.pass_boolean("strict");
  const auto& itself = schema.need("schema");
  require_schema(itself, schema.path_of("schema"));
  schema.out()["schema"] = itself;
  fields.out()["json_schema"] = schema.finish();
  return fields.finish();
}

/// No words to stop at: not all engines take an empty list.
void note_no_stop(const Json& body, EngineRequest& request) {
  if (body.value("stop", Json()) == Json::array()) request.unwanted.insert("stop");
}

void narrow_stop(FieldReader& fields) {
  const auto* stop = fields.find("stop");
  if (stop == nullptr) return;
  const auto path = fields.path_of("stop");
  const auto words = stop->is_string() ? Json::array({*stop}) : *stop;
  if (!words.is_array() || words.size() > k_max_stops) {
    refuse_field(path, fmt::format("must be a text, or an array of at most {}", k_max_stops));
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (require_string(words[i], k_max_name, at(path, i)).empty()) refuse_field(at(path, i), "must not be empty");
  }
  if (!words.empty()) fields.out()["stop"] = words;
}

void narrow_logit_bias(FieldReader& fields) {
  const auto* bias = fields.find("logit_bias");
  if (bias == nullptr) return;
  const auto path = fields.path_of("logit_bias");
  if (!bias->is_object() || bias->size() > k_max_bias) {
    refuse_field(path, fmt::format("must be an object of at most {} tokens", k_max_bias));
  }
  for (const auto& [token, value] : bias->items()) {
    const bool digits = !token.empty() && token.size() <= 8 &&
                        std::all_of(token.begin(), token.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) refuse_field(path, "its keys must be numbers of tokens");
    require_number(value, -100, 100, path);
  }
  if (!bias->empty()) fields.out()["logit_bias"] = *bias;
}

/// What decides how the next token is chosen.
void narrow_sampling(FieldReader& fields) {
  fields.pass_number("temperature", 0, 2);
  fields.pass_number("top_p", 0, 1);
  fields.pass_integer("top_k", -1, 100'000);
  fields.pass_number("min_p", 0, 1);
  fields.pass_number("typical_p", 0, 1);
  fields.pass_number("repeat_penalty", 0, 2);
  fields.pass_integer("repeat_last_n", -1, 65'536);
  fields.pass_number("presence_penalty", -2, 2);
  fields.pass_number("frequency_penalty", -2, 2);
  if (const auto* seed = fields.find("seed")) {
    // Engines have 32 bits for it.
    const auto number = require_integer(*seed, INT64_MIN, INT64_MAX, fields.path_of("seed"));
    fields.out()["seed"] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(number));
  }
  narrow_stop(fields);
  narrow_logit_bias(fields);
  if (const auto* n = fields.find("n")) require_integer(*n, 1, 1, fields.path_of("n"));
  if (const auto grammar = fields.text("grammar", k_max_grammar); !grammar.empty()) fields.out()["grammar"] = grammar;
}

void narrow_length(FieldReader& fields) {
  constexpr const char *k_older = "max_tokens", *k_newer = "max_completion_tokens";
  const auto* older = fields.find(k_older);
  const auto* newer = fields.find(k_newer);
  const auto* tokens = newer != nullptr ? newer : older;
  if (tokens == nullptr) return;
  fields.out()[k_older] =
      require_integer(*tokens, 1, k_max_answer, fields.path_of(newer != nullptr ? k_newer : k_older));
}

/// What is for the service that OpenAI runs, and has no meaning here.
void ignore_service_fields(FieldReader& fields) {
  fields.ignore({"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "verbosity", "reasoning_effort"});
}

/// Streams always bring usage: the record and the rates need it.
void narrow_stream(FieldReader& fields, EngineRequest& request) {
  request.stream = fields.boolean("stream", false);
  bool wanted = false;
  if (const auto* options = fields.find("stream_options")) {
    FieldReader inner(*options, fields.path_of("stream_options"));
    wanted = inner.boolean("include_usage", false);
    inner.ignore({"include_obfuscation"});
    inner.finish();
  }
  if (!request.stream) return;
  request.drop_usage_chunk = !wanted;
  fields.out()["stream"] = true;
  fields.out()["stream_options"] = {{"include_usage", true}};
}

EngineRequest start(FieldReader& fields, std::string_view path) {
  EngineRequest request;
  request.path = path;
  request.model = fields.need_text("model", k_max_name);
  fields.out()["model"] = request.model;
  return request;
}

/// A text; or, of a prompt that is given as an array, its only one.
std::string single_prompt(const Json& prompt, const std::string& path) {
  if (prompt.is_array() && prompt.size() == 1) return require_string(prompt[0], k_any_text, at(path, 0));
  if (!prompt.is_string()) refuse_field(path, "must be one text");
  return prompt.get<std::string>();
}

}  // namespace

EngineRequest narrow_chat_request(const Json& body) {
  FieldReader fields(body, "");
  auto request = start(fields, "/v1/chat/completions");
  const auto* messages = fields.array("messages", k_max_messages);
  if (messages == nullptr || messages->empty()) refuse_field("messages", "is missing or empty");
  Images images;
  auto& out = fields.out()["messages"] = Json::array();
  for (std::size_t i = 0; i < messages->size(); ++i) {
    out.push_back(narrow_message((*messages)[i], at("messages", i), images));
  }
  narrow_tools(fields);
  if (const auto* format = fields.find("response_format")) {
    fields.out()["response_format"] = narrow_response_format(*format, "response_format");
  }
  narrow_sampling(fields);
  narrow_length(fields);
  fields.pass_boolean("logprobs");
  fields.pass_integer("top_logprobs", 0, k_max_alternatives);
  if (const auto* arguments = fields.find("chat_template_kwargs")) {
    FieldReader inner(*arguments, "chat_template_kwargs");
    inner.pass_boolean("enable_thinking");
    fields.out()["chat_template_kwargs"] = inner.finish();
  }
  if (const auto* modalities = fields.find("modalities");
      modalities != nullptr && *modalities != Json::array({"text"})) {
    refuse_field("modalities", "must be [\"text\"]");
  }
  if (fields.find("web_search_options") != nullptr) refuse_online_tool("web_search", "web_search_options");
  ignore_service_fields(fields);
  narrow_stream(fields, request);
  note_no_stop(body, request);
  request.body = fields.finish();
  if (request.body.contains("grammar") &&
      (request.body.contains("tools") || request.body.contains("response_format"))) {
    refuse_field("grammar", "cannot stand beside tools or response_format, which make one of their own");
  }
  return request;
}

EngineRequest narrow_completion_request(const Json& body) {
  FieldReader fields(body, "");
  auto request = start(fields, "/v1/completions");
  fields.out()["prompt"] = single_prompt(fields.need("prompt"), "prompt");
  narrow_sampling(fields);
  narrow_length(fields);
  fields.pass_integer("logprobs", 0, k_max_alternatives);
  // None beside the token that was chosen: to an engine that would mean no log probabilities at all.
  if (fields.out().contains("logprobs") && fields.out()["logprobs"] == 0) fields.out()["logprobs"] = 1;
  if (fields.boolean("echo", false)) refuse_field("echo", "must be false");
  if (const auto* best_of = fields.find("best_of")) require_integer(*best_of, 1, 1, "best_of");
  if (!fields.text("suffix", k_any_text).empty()) refuse_field("suffix", "is not supported");
  ignore_service_fields(fields);
  narrow_stream(fields, request);
  note_no_stop(body, request);
  request.body = fields.finish();
  return request;
}

Json narrow_generation_fields(const Json& members) {
  FieldReader fields(members, "");
  narrow_sampling(fields);
  narrow_length(fields);
  return fields.finish();
}

EngineRequest narrow_embeddings_request(const Json& body) {
  constexpr std::size_t k_max_inputs = 2048;
  constexpr std::size_t k_max_tokens = 131'072;
  FieldReader fields(body, "");
  auto request = start(fields, "/v1/embeddings");
  const auto& input = fields.need("input");
  if (!input.is_string()) {
    if (!input.is_array() || input.empty() || input.size() > k_max_tokens) {
      refuse_field("input", fmt::format("must be a text, or an array of 1 to {}", k_max_inputs));
    }
    const bool tokens = input[0].is_number();
    if (!tokens && input.size() > k_max_inputs) refuse_field("input", fmt::format("may have {} texts", k_max_inputs));
    for (std::size_t i = 0; i < input.size(); ++i) {
      const auto path = at("input", i);
      if (tokens) {
        require_integer(input[i], 0, k_max_token, path);
      } else if (input[i].is_array()) {
        if (input[i].empty() || input[i].size() > k_max_tokens) {
          refuse_field(path, fmt::format("must have 1 to {} tokens", k_max_tokens));
        }
        for (const auto& token : input[i]) require_integer(token, 0, k_max_token, path);
      } else {
        require_string(input[i], k_any_text, path);
      }
    }
  }
  fields.out()["input"] = input;
  if (const auto format = fields.text("encoding_format", k_max_name); !format.empty()) {
    fields.out()["encoding_format"] = require_choice(format, {"float", "base64"}, "encoding_format");
  }
  if (fields.find("dimensions") != nullptr) refuse_field("dimensions", "is not supported: a model has the ones it has");
  ignore_service_fields(fields);
  request.body = fields.finish();
  return request;
}

EngineRequest narrow_rerank_request(const Json& body) {
  constexpr std::size_t k_max_documents = 1000;
  FieldReader fields(body, "");
  auto request = start(fields, "/v1/rerank");
  fields.out()["query"] = fields.need_text("query", k_any_text);
  const auto* documents = fields.array("documents", k_max_documents);
  if (documents == nullptr || documents->empty()) refuse_field("documents", "is missing or empty");
  auto& out = fields.out()["documents"] = Json::array();
  for (std::size_t i = 0; i < documents->size(); ++i) {
    const auto& document = (*documents)[i];
    const auto path = at("documents", i);
    if (document.is_object()) {
      FieldReader inner(document, path);
      out.push_back(inner.need_text("text", k_any_text));
      inner.finish();
    } else {
      out.push_back(require_string(document, k_any_text, path));
    }
  }
  fields.pass_integer("top_n", 1, k_max_documents);
  fields.pass_boolean("return_documents");
  fields.ignore({"user"});
  request.body = fields.finish();
  return request;
}

}  // namespace liftlock
