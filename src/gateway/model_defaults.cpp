#include "gateway/model_defaults.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.hpp"

namespace liftlock {
namespace {

bool is_instruction(const Json& message) {
  const auto& role = message.at("role");
  return role == "system" || role == "developer";
}

/// Chat templates want one system message, at the beginning; Ollama joins them, too.
void join(Json& instruction, const std::string& more) {
  auto& content = instruction.at("content");
  if (content.is_array()) {
    content.push_back({{"type", "text"}, {"text", more}});
  } else {
    const auto text = content.get<std::string>();
    content = text.empty() ? more : text + "\n\n" + more;
  }
}

void begin_conversation(const ollama::Defaults& defaults, Json& messages) {
  auto out = Json::array();
  auto next = messages.begin();
  if (next != messages.end() && is_instruction(*next)) {
    out.push_back(std::move(*next++));
  } else if (!defaults.system.empty()) {
    out.push_back({{"role", "system"}, {"content", defaults.system}});
  }
  for (const auto& [role, content] : defaults.messages) {
    if (role == "system" && out.size() == 1 && is_instruction(out.front())) {
      join(out.front(), content);
    } else {
      out.push_back({{"role", role}, {"content", content}});
    }
  }
  for (; next != messages.end(); ++next) out.push_back(std::move(*next));
  messages = std::move(out);
}

struct Known {
  const char* theirs;  ///< Ollama's name
  const char* ours;    ///< the engine's
};
/// Those that say how a model is loaded are Liftlock's to decide.
constexpr std::array k_known = {Known{"temperature", "temperature"},
                                Known{"top_k", "top_k"},
                                Known{"top_p", "top_p"},
                                Known{"min_p", "min_p"},
                                Known{"typical_p", "typical_p"},
                                Known{"repeat_last_n", "repeat_last_n"},
                                Known{"repeat_penalty", "repeat_penalty"},
                                Known{"presence_penalty", "presence_penalty"},
                                Known{"frequency_penalty", "frequency_penalty"},
                                Known{"seed", "seed"},
                                Known{"stop", "stop"},
                                Known{"num_predict", "max_tokens"}};

/// The member of a request that a parameter becomes, or why no client could ask for it.
struct Narrowed {
  Json member = Json::object();
  std::string refused;
};

Narrowed narrow(const char* ours, const Json& value) {
  try {
    return {.member = narrow_generation_fields({{ours, value}}), .refused = {}};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::bad_request) throw;
    return {.member = Json::object(), .refused = error.message()};
  }
}

void set_parameters(const Json& params, EngineRequest& request) {
  for (const auto& [theirs, ours] : k_known) {
    const auto found = params.find(theirs);
    if (found == params.end() || request.body.contains(ours) || request.unwanted.contains(ours)) continue;
    request.body.update(narrow(ours, *found).member);
  }
}

std::string why_left_out(const std::string& name, const Json& value) {
  const auto known = std::find_if(k_known.begin(), k_known.end(), [&](const auto& one) { return one.theirs == name; });
  if (known != k_known.end()) return narrow(known->ours, value).refused;
  if (name == "num_ctx") return "[models] context of config.toml says it";
  return "no client may ask for it";
}

}  // namespace

void apply_defaults(const ollama::Defaults& defaults, EngineRequest& request) {
  if (defaults.empty()) return;
  const bool is_chat = request.path.starts_with("/v1/chat/completions");  // and the count of its tokens
  if (!is_chat && request.path != "/v1/completions") return;              // else no text is generated
  if (is_chat) begin_conversation(defaults, request.body.at("messages"));
  set_parameters(defaults.params, request);
}

std::map<std::string, std::string> left_out(const Json& params) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : params.items()) {
    if (auto why = why_left_out(name, value); !why.empty()) out.emplace(name, std::move(why));
  }
  return out;
}

}  // namespace liftlock
