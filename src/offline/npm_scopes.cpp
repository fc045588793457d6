#include "offline/npm_scopes.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::offline {
namespace {

constexpr std::string_view k_registry = ":registry";
constexpr std::string_view k_variable = "npm_config_";

std::string_view unquoted(std::string_view text) {
  const bool quoted = text.size() > 1 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front();
  return quoted ? text.substr(1, text.size() - 2) : text;
}

void take(std::set<std::string>& scopes, std::string_view key) {
  if (key.starts_with('@') && key.ends_with(k_registry)) scopes.emplace(key.substr(0, key.size() - k_registry.size()));
}

void take_file(std::set<std::string>& scopes, const fs::path& file) {
  try {
    const auto text = read_file(file, 1u << 20);
    for (const auto line : split(text, '\n')) take(scopes, unquoted(trim(line.substr(0, line.find('=')))));
  } catch (const Error&) {
    // none, or none that npm could read
  }
}

}  // namespace

std::set<std::string> npm_scopes(const std::map<std::string, std::string>& environment, const fs::path& project) {
  std::set<std::string> out;
  for (auto folder = project;; folder = folder.parent_path()) {
    take_file(out, folder / ".npmrc");
    if (folder == folder.parent_path()) break;
  }
  if (const auto home = environment.find("HOME"); home != environment.end())
    take_file(out, fs::path(home->second) / ".npmrc");
  for (const auto& [name, value] : environment) {
    const auto low = to_lower(name);
    if (!low.starts_with(k_variable)) continue;
    const auto key = std::string_view(low).substr(k_variable.size());
    take(out, key);
    if (key == "userconfig" || key == "globalconfig") take_file(out, value);
  }
  return out;
}

}  // namespace liftlock::offline
