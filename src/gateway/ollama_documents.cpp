#include <fmt/format.h>
#include <fmt/ranges.h>

#include "gateway/chat_fields.hpp"
#include "gateway/ollama.hpp"

namespace liftlock::ollama {
namespace {

Json details(const ModelCard& model) {
  return {{"parent_model", ""},
          {"format", "gguf"},
          {"family", model.architecture},
          {"families", Json::array({model.architecture})},
          {"parameter_size", model.parameters},
          {"quantization_level", model.quantisation}};
}

Json capabilities(const ModelCard& model) {
  auto out = Json::array();
  out.push_back(model.embedding ? "embedding" : "completion");
  if (model.tools) out.push_back("tools");
  if (model.vision) out.push_back("vision");
  return out;
}

/// "temperature                    0.6", a line for each value.
std::string parameter_lines(const Json& params) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : params.items()) {
    const auto values = value.is_array() ? value : Json::array({value});
    for (const auto& one : values) lines.push_back(fmt::format("{:<30} {}", name, dump_json_line(one)));
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Json listed(const ModelCard& model) {
  return {{"name", model.name},
          {"model", model.name},
          {"size", model.size},
          {"digest", model.digest},
          {"details", details(model)}};
}

}  // namespace

Json tags(const std::vector<ModelCard>& models) {
  auto out = Json::array();
  for (const auto& model : models) {
    auto one = listed(model);
    one["modified_at"] = format_time(model.modified);
    one["capabilities"] = capabilities(model);
    out.push_back(std::move(one));
  }
  return {{"models", std::move(out)}};
}

Json ps(const std::vector<ModelCard>& loaded) {
  auto out = Json::array();
  for (const auto& model : loaded) {
    auto one = listed(model);
    one["size"] = model.memory;
    one["size_vram"] = 0;
    one["context_length"] = model.context;
    // Without a timer it stays; clients want a time all the same.
    one["expires_at"] = model.expires ? format_time(*model.expires) : "2318-01-01T00:00:00Z";
    out.push_back(std::move(one));
  }
  return {{"models", std::move(out)}};
}

Json show(const ModelCard& model) {
  Json info = {{"general.architecture", model.architecture}};
  if (model.parameter_count > 0) info["general.parameter_count"] = model.parameter_count;
  if (model.context > 0 && !model.architecture.empty()) {
    info[model.architecture + ".context_length"] = model.context;
  }
  auto messages = Json::array();
  for (const auto& [role, content] : model.defaults.messages)
    messages.push_back({{"role", role}, {"content", content}});
  return {{"license", model.licence},
          {"modelfile", ""},
          {"parameters", parameter_lines(model.defaults.params)},
          {"template", model.chat_template},
          {"system", model.defaults.system},
          {"messages", std::move(messages)},
          {"details", details(model)},
          {"model_info", std::move(info)},
          {"capabilities", capabilities(model)},
          {"modified_at", format_time(model.modified)}};
}

std::string show_request(const Json& request) {
  FieldReader fields(request, "");
  // Its older name.
  auto model = fields.text("model", k_max_name);
  const auto name = fields.text("name", k_max_name);
  fields.boolean("verbose", false);
  fields.ignore({"system", "template", "options"});
  fields.finish();
  if (model.empty()) model = name;
  if (model.empty()) refuse_field("model", "is missing");
  return model;
}

PullRequest pull_request(const Json& request) {
  FieldReader fields(request, "");
  PullRequest out;
  out.model = fields.text("model", k_max_name);
  const auto name = fields.text("name", k_max_name);
  out.stream = fields.boolean("stream", true);
  fields.ignore({"insecure", "username", "password"});
  fields.finish();
  if (out.model.empty()) out.model = name;
  if (out.model.empty()) refuse_field("model", "is missing");
  return out;
}

Json version() {
  return {{"version", "0.12.0"}};
}

}  // namespace liftlock::ollama
