#include "ecosystem/model/model_card.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"
#include "ecosystem/yaml.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_strings = 50;
constexpr std::size_t k_max_string = 300;

/// Between the first line, which is "---", and the next one.
std::string_view front_matter(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const auto first = text.find('\n');
  if (first == std::string_view::npos || trim(text.substr(0, first)) != "---") return {};
  const auto begin = first + 1;
  for (auto at = begin; at < text.size();) {
    const auto end = text.find('\n', at);
    const auto line = text.substr(at, end == std::string_view::npos ? end : end - at);
    if (line.starts_with("---") && trim(line) == "---") return text.substr(begin, at - begin);
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return {};
}

std::string shortened(std::string text) {
  if (text.size() > k_max_string) text.resize(k_max_string);
  while (!is_utf8(text)) text.pop_back();
  return printable(text);
}

/// A string, or a list of strings; what is neither is left out.
Json strings_of(const Json& value) {
  auto out = Json::array();
  if (value.is_string() && !value.get<std::string>().empty()) out.push_back(shortened(value.get<std::string>()));
  if (!value.is_array()) return out;
  for (const auto& item : value) {
    if (out.size() == k_max_strings) break;
    if (item.is_string() && !item.get<std::string>().empty()) out.push_back(shortened(item.get<std::string>()));
  }
  return out;
}

}  // namespace

Json read_model_card(std::string_view text) {
  auto out = Json::object();
  const auto yaml = front_matter(text);
  if (yaml.empty()) return out;
  const auto card = parse_yaml(yaml, "the model card", {.max_bytes = k_max_model_card, .max_depth = 20});
  if (!card.is_object()) return out;
  for (const auto* key : {"license", "license_name", "license_link", "pipeline_tag", "library_name"}) {
    const auto found = card.find(key);
    if (found == card.end()) continue;
    const auto strings = strings_of(*found);  // a card may list several licences
    std::string joined;
    for (const auto& one : strings) joined += (joined.empty() ? "" : " AND ") + one.get<std::string>();
    if (!joined.empty()) out[key] = std::move(joined);
  }
  for (const auto* key : {"datasets", "base_model", "language"}) {
    const auto found = card.find(key);
    if (found == card.end()) continue;
    if (auto strings = strings_of(*found); !strings.empty()) out[key] = std::move(strings);
  }
  return out;
}

}  // namespace liftlock
