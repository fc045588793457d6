#include "ecosystem/hidden_marks.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/hidden_downloads.hpp"

namespace liftlock {
namespace {

/// Shorter words of the table (".pt") stand in names of all sorts.
constexpr std::size_t k_min_word = 5;
constexpr std::string_view k_whiteout = ".wh.";

/// Words that are looked for, and the packages that count.
struct Known {
  std::set<std::string, std::less<>> names;
  std::vector<std::string_view> prefixes;  ///< of packages that bring what others download
  std::vector<std::string_view> words;
};

const Known& known() {
  static const Known out = [] {
    Known made;
    std::set<std::string_view> words, prefixes;
    for (const auto& one : hidden_downloads()) {
      if (one.kind != "wheel") continue;
      made.names.emplace(one.name);
      for (const auto word : split(one.packages, ' ')) prefixes.insert(word);
      for (const auto word : split(one.content, ' ')) {
        if (word.size() >= k_min_word && !word.ends_with(':')) words.insert(word);
      }
    }
    prefixes.erase("");
    made.prefixes.assign(prefixes.begin(), prefixes.end());
    made.words.assign(words.begin(), words.end());
    return made;
  }();
  return out;
}

/// Of "Foo_Bar-1.0.dist-info" (the database of installed projects; PyPA) and "foo_bar-1.0-py3.11.egg-info": "foo-bar".
std::string project_of(std::string_view component) {
  std::string out;
  for (const char c : component.substr(0, component.find('-'))) {
    const bool separator = c == '_' || c == '.' || c == '-';
    if (separator && (out.empty() || out.back() == '-')) continue;
    out += separator ? '-' : c;
  }
  return to_lower(out);
}

/// As the table calls it; empty for others: what is kept is the table's own, whatever stands in the image.
std::string known_package(const std::string& name) {
  const auto& all = known();
  if (all.names.contains(name)) return name;
  for (const auto prefix : all.prefixes) {
    if (name.starts_with(prefix)) return std::string(prefix);
  }
  return {};
}

/// The component that ends like this, with all of its characters; empty: there is none.
std::string_view component_ending(std::string_view path, std::string_view ending) {
  for (auto at = path.find(ending); at != path.npos; at = path.find(ending, at + 1)) {
    const auto end = at + ending.size();
    if (end != path.size() && path[end] != '/') continue;
    const auto slash = path.rfind('/', at);
    return path.substr(slash == path.npos ? 0 : slash + 1, end - (slash == path.npos ? 0 : slash + 1));
  }
  return {};
}

std::set<std::string> names_of(const Json& json, std::string_view key) {
  std::set<std::string> out;
  if (!json.contains(key)) return out;
  for (const auto& one : array_member(json, key, k_hidden_marks)) {
    if (one.is_string()) out.insert(one.get<std::string>());
  }
  return out;
}

}  // namespace

void HiddenMarks::look_at(std::string_view path) {
  const bool is_folder = path.ends_with('/');
  while (path.ends_with('/')) path.remove_suffix(1);
  for (const std::string_view ending : {".dist-info", ".egg-info"}) {
    auto component = component_ending(path, ending);
    if (component.empty()) continue;
    const bool gone = component.starts_with(k_whiteout);
    if (gone) component.remove_prefix(k_whiteout.size());
    auto name = known_package(project_of(component));
    if (!name.empty()) (gone ? removed : packages).insert(std::move(name));
    return;
  }
  // Its own image runs it from its source.
  if (path.ends_with("/open_webui/main.py")) packages.emplace("open-webui");
  // A folder may be empty, and a whiteout says what is gone.
  if (is_folder || path.substr(path.rfind('/') + 1).starts_with(k_whiteout)) return;
  // What a package brings of itself is no proof of what it downloads.
  for (const std::string_view folder : {"/site-packages/", "/dist-packages/", "/node_modules/"}) {
    if (path.find(folder) != path.npos) return;
  }
  // A program that is called as the model is no model.
  if (path.ends_with(".py") || path.starts_with("bin/") || path.find("/bin/") != path.npos) return;
  for (const auto word : known().words) {
    if (is_ending(word) ? path.ends_with(word) : path.find(word) != path.npos) content.emplace(word);
  }
  // A cache of Hugging Face's clients: a model came along, whichever it is.
  if (path.starts_with("models--") || path.find("/models--") != path.npos) content.emplace(HiddenDownload::k_any_model);
}

void HiddenMarks::stack(const HiddenMarks& above) {
  for (const auto& name : above.removed) packages.erase(name);
  join(above);
}

void HiddenMarks::join(const HiddenMarks& other) {
  packages.insert(other.packages.begin(), other.packages.end());
  content.insert(other.content.begin(), other.content.end());
}

Json HiddenMarks::json() const {
  Json out = {{"packages", packages}, {"content", content}};
  if (!removed.empty()) out["removed"] = removed;
  return out;
}

HiddenMarks HiddenMarks::parse(const Json& json) {
  if (!json.is_object()) fail(ErrorCode::schema_violation, "{} is no object", k_hidden_marks);
  HiddenMarks out;
  out.packages = names_of(json, "packages");
  out.content = names_of(json, "content");
  out.removed = names_of(json, "removed");
  return out;
}

}  // namespace liftlock
