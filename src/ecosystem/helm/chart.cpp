#include "ecosystem/helm/chart.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "ecosystem/license_text.hpp"
#include "ecosystem/yaml.hpp"

namespace liftlock::helm {
namespace {

constexpr std::size_t k_max_chart_yaml = 1u << 20;
constexpr std::size_t k_max_text = 4096;
constexpr std::string_view k_alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

bool consists_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return k_alphabet.find(c) != std::string_view::npos || more.find(c) != std::string_view::npos;
  });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text.find_first_not_of("0123456789") == std::string_view::npos &&
         (text.size() == 1 || text[0] != '0');
}

std::string text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_string()) return {};
  auto text = found->get<std::string>();
  if (text.size() > k_max_text) {
    fail(ErrorCode::limit_exceeded, "'{}' in Chart.yaml is longer than {} bytes", key, k_max_text);
  }
  return text;
}

template <std::size_t N>
void take_texts(Json& out, const Json& json, const std::array<const char*, N>& keys) {
  for (const auto* key : keys) {
    if (auto text = text_of(json, key); !text.empty()) out[key] = std::move(text);
  }
}

template <std::size_t N>
void take_list(Json& out, const Json& json, const char* key, const std::array<const char*, N>& keys) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array()) return;
  auto list = Json::array();
  for (const auto& item : *found) {
    auto one = Json::object();
    if (item.is_object()) take_texts(one, item, keys);
    if (!one.empty()) list.push_back(std::move(one));
  }
  if (!list.empty()) out[key] = std::move(list);
}

}  // namespace

bool is_chart_name(std::string_view name) {
  return name.size() <= 250 && consists_of(name, "._-") && k_alphabet.find(name.front()) != std::string_view::npos &&
         name.back() != '.';
}

bool is_chart_version(std::string_view version) {
  if (version.size() > 128) return false;
  if (version.starts_with('v')) version.remove_prefix(1);
  const auto plus = version.find('+');
  if (plus != std::string_view::npos && !consists_of(version.substr(plus + 1), ".-")) return false;
  version = version.substr(0, plus);
  const auto dash = version.find('-');
  if (dash != std::string_view::npos && !consists_of(version.substr(dash + 1), ".-")) return false;
  const auto numbers = split(version.substr(0, dash), '.');
  return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), is_number);
}

std::string chart_tag(std::string_view version) {
  std::string out(version);
  std::replace(out.begin(), out.end(), '+', '_');
  return out;
}

std::optional<ChartFileName> ChartFileName::parse(std::string_view filename) {
  constexpr std::string_view k_end = ".tgz";
  if (!filename.ends_with(k_end)) return std::nullopt;
  filename.remove_suffix(k_end.size());
  for (auto dash = filename.find('-'); dash != std::string_view::npos; dash = filename.find('-', dash + 1)) {
    const auto name = filename.substr(0, dash), version = filename.substr(dash + 1);
    if (is_chart_name(name) && is_chart_version(version)) return ChartFileName{std::string(name), std::string(version)};
  }
  return std::nullopt;
}

Json parse_chart_yaml(std::string_view text) {
  const auto json = parse_yaml(text, "Chart.yaml", {.max_bytes = k_max_chart_yaml});
  if (!json.is_object()) fail(ErrorCode::package_malformed, "Chart.yaml holds no mapping");
  auto out = Json::object();
  take_texts(
      out, json,
      std::array{"apiVersion", "name", "version", "appVersion", "kubeVersion", "description", "type", "home", "icon"});
  const auto version = text_of(out, "apiVersion");
  if (version != "v1" && version != "v2") {
    fail(ErrorCode::package_malformed, "Chart.yaml has the apiVersion '{}', not v1 or v2", printable(version));
  }
  if (!is_chart_name(text_of(out, "name"))) {
    fail(ErrorCode::package_malformed, "'{}' in Chart.yaml is no chart name", printable(text_of(out, "name")));
  }
  if (!is_chart_version(text_of(out, "version"))) {
    fail(ErrorCode::package_malformed, "'{}' in Chart.yaml is no semantic version", printable(text_of(out, "version")));
  }
  if (text_of(json, "deprecated") == "true") out["deprecated"] = true;
  take_list(out, json, "dependencies", std::array{"name", "version", "repository", "condition", "alias"});
  take_list(out, json, "maintainers", std::array{"name", "email", "url"});
  return out;
}

std::string annotated_license(std::string_view text) {
  const auto json = parse_yaml(text, "Chart.yaml", {.max_bytes = k_max_chart_yaml});
  const auto annotations = json.is_object() ? json.find("annotations") : json.end();
  if (!json.is_object() || annotations == json.end()) return {};
  return license_text(text_in(*annotations, "artifacthub.io/license"));
}

Chart read_chart(int fd, const TarLimits& limits) {
  Chart out;
  std::optional<std::string> chart_yaml;
  std::set<std::string> brought;  // names below charts/, folders and archives
  constexpr std::string_view k_charts = "charts/";
  const auto tar = read_package_tar(
      fd, "chart", limits,
      [](std::string_view name) { return name == "Chart.yaml" ? k_max_chart_yaml : std::size_t{0}; },
      [&](std::string_view name, std::string content) {
        if (name == "Chart.yaml") chart_yaml = std::move(content);
        if (!name.starts_with(k_charts)) return;
        const auto below = name.substr(k_charts.size());
        const auto slash = below.find('/');
        const auto archive = ChartFileName::parse(below);
        brought.insert(slash == std::string_view::npos && archive ? archive->name
                                                                  : std::string(below.substr(0, slash)));
      });
  if (!chart_yaml) fail(ErrorCode::package_malformed, "the chart has no Chart.yaml in its folder");
  out.metadata = parse_chart_yaml(*chart_yaml);
  out.license = annotated_license(*chart_yaml);
  out.files = tar.files;
  const auto name = text_of(out.metadata, "name");
  if (tar.folder != name) {
    fail(ErrorCode::package_malformed, "the chart {} lies in a folder '{}'", name, printable(tar.folder));
  }
  for (const auto& needed : out.metadata.value("dependencies", Json::array())) {
    if (needed.contains("condition") || brought.contains(text_of(needed, "name"))) continue;
    throw Error(
        ErrorCode::package_malformed,
        fmt::format("the chart {} needs {}, which is not in its charts/", name, printable(text_of(needed, "name"))),
        "`helm dependency update` and `helm package` put it there");
  }
  return out;
}

}  // namespace liftlock::helm
