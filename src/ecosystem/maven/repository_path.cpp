#include "ecosystem/maven/repository_path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/rel_path.hpp"
#include "base/text.hpp"

namespace liftlock::maven {
namespace {

bool is_word(std::string_view text) {
  return !text.empty() && text[0] != '.' && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '+' || c == '~';
  });
}

}  // namespace

std::string RepositoryPath::folder() const {
  auto out = group;
  std::replace(out.begin(), out.end(), '.', '/');
  return out + "/" + artifact + "/" + version;
}

std::optional<RepositoryPath> parse_repository_path(std::string_view path) {
  if (!RelPath::try_parse(path)) return std::nullopt;
  const auto parts = split(path, '/');
  if (parts.size() < 4 || !std::all_of(parts.begin(), parts.end(), is_word)) return std::nullopt;
  RepositoryPath out;
  for (std::size_t i = 0; i + 3 < parts.size(); ++i) {
    // A dot within a folder of the group would be another group's path.
    if (parts[i].find('.') != std::string_view::npos) return std::nullopt;
    out.group += (i == 0 ? "" : ".") + std::string(parts[i]);
  }
  out.artifact = parts[parts.size() - 3];
  out.version = parts[parts.size() - 2];
  out.file = parts.back();
  const auto start = out.artifact + "-" + out.version;
  const bool fits = out.file.starts_with(start) && out.file.size() > start.size() &&
                    (out.file[start.size()] == '.' || out.file[start.size()] == '-');
  return fits ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<std::string> folder_of(std::string_view name, std::string_view version) {
  const auto colon = name.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  RepositoryPath out{.group = std::string(name.substr(0, colon)),
                     .artifact = std::string(name.substr(colon + 1)),
                     .version = std::string(version),
                     .file = {}};
  const bool sound = is_word(out.group) && is_word(out.artifact) && is_word(out.version);
  return sound ? std::optional(out.folder()) : std::nullopt;
}

std::string module_metadata(std::string_view group, std::string_view artifact, const std::set<std::string>& versions,
                            std::string_view when) {
  // Names of a repository path hold nothing that XML would escape.
  auto out = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metadata>\n  <groupId>{}</groupId>\n  <artifactId>{}</artifactId>\n"
      "  <versioning>\n    <versions>\n",
      group, artifact);
  for (const auto& version : versions) out += fmt::format("      <version>{}</version>\n", version);
  out += "    </versions>\n";
  if (!when.empty()) out += fmt::format("    <lastUpdated>{}</lastUpdated>\n", when);
  return out + "  </versioning>\n</metadata>\n";
}

}  // namespace liftlock::maven
