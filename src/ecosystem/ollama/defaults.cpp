#include "ecosystem/ollama/defaults.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/ollama/modelfile.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::string_view k_system = "ollama/system", k_params = "ollama/params", k_messages = "ollama/messages";
constexpr std::size_t k_max_messages = 1000;

/// The texts of the files that there are, each read once.
class Files {
 public:
  Files(std::span<const std::string> paths, const ReadText& read) : m_paths(paths), m_read(read) {}

  std::optional<std::string> text(std::string_view path) const {
    const auto found = std::find(m_paths.begin(), m_paths.end(), path);
    if (found == m_paths.end()) return std::nullopt;
    return utf8(m_read(*found));
  }

  std::optional<Json> json(std::string_view path) const {
    const auto found = text(path);
    if (!found) return std::nullopt;
    try {
      return parse_json(*found, {.max_bytes = k_max_defaults, .max_depth = 4});
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::optional<Modelfile> modelfile() const {
    const auto found =
        std::find_if(m_paths.begin(), m_paths.end(), [](const auto& path) { return is_modelfile(path); });
    if (found == m_paths.end()) return std::nullopt;
    const auto text = m_read(*found);
    try {
      auto out = parse_modelfile(text);
      if (use_of(out, m_paths).applies) return out;
    } catch (const Error&) {
    }
    return std::nullopt;
  }

 private:
  static std::optional<std::string> utf8(std::string text) {
    if (!is_utf8(text)) return std::nullopt;
    return text;
  }

  std::span<const std::string> m_paths;
  const ReadText& m_read;
};

/// All of them, or none: half a conversation says something else.
std::vector<std::pair<std::string, std::string>> messages_of(const Json& list) {
  std::vector<std::pair<std::string, std::string>> out;
  if (!list.is_array() || list.size() > k_max_messages) return out;
  for (const auto& one : list) {
    const auto text = [&](const char* key) {
      const auto found = one.is_object() ? one.find(key) : one.end();
      return one.is_object() && found != one.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    auto role = text("role");
    if (role != "system" && role != "user" && role != "assistant") return {};
    out.emplace_back(std::move(role), text("content"));
  }
  return out;
}

}  // namespace

bool holds_defaults(std::string_view path) {
  return path == k_system || path == k_params || path == k_messages || is_modelfile(path);
}

Defaults defaults_of(std::span<const std::string> paths, const ReadText& read) {
  const Files files(paths, read);
  Defaults out;
  // What the folder ollama/ has counts, as it does for Ollama itself.
  const auto modelfile = files.modelfile().value_or(Modelfile{});
  out.system = files.text(k_system).value_or(modelfile.system.value_or(""));
  const auto params = files.json(k_params).value_or(modelfile.params);
  if (params.is_object()) out.params = params;
  const auto messages = files.json(k_messages);
  out.messages = messages ? messages_of(*messages) : modelfile.messages;
  return out;
}

std::string words_of(const Defaults& defaults) {
  std::vector<std::string> out;
  if (!defaults.system.empty()) out.emplace_back("system prompt");
  if (!defaults.params.empty()) out.push_back(counted(defaults.params.size(), "parameter"));
  if (!defaults.messages.empty()) out.push_back(counted(defaults.messages.size(), "message"));
  return fmt::format("{}", fmt::join(out, ", "));
}

}  // namespace liftlock::ollama
