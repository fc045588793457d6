#include "advisory/osv.hpp"

#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

constexpr std::string_view k_where = "an OSV record";
constexpr std::size_t k_max_text = 512;
constexpr std::size_t k_max_summary = 300;

std::string short_text(std::string text, std::string_view what) {
  if (text.empty() || text.size() > k_max_text) {
    fail(ErrorCode::schema_violation, "{}: {} has {} bytes, and may have 1 to {}", k_where, what, text.size(),
         k_max_text);
  }
  return text;
}

/// The array, or an empty one when it is absent or null.
const Json& list(const Json& object, std::string_view key) {
  static const Json k_none = Json::array();
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return k_none;
  if (!found->is_array()) fail(ErrorCode::schema_violation, "{}: {} is no array", k_where, key);
  return *found;
}

const Json& object(const Json& value, std::string_view what) {
  if (!value.is_object()) fail(ErrorCode::schema_violation, "{}: {} is no object", k_where, what);
  return value;
}

std::vector<std::string> texts(const Json& holder, std::string_view key) {
  std::vector<std::string> out;
  for (const auto& one : list(holder, key)) {
    if (!one.is_string()) fail(ErrorCode::schema_violation, "{}: {} holds what is no text", k_where, key);
    out.push_back(short_text(one.get<std::string>(), key));
  }
  return out;
}

VersionRange range_of(const Json& json) {
  VersionRange out;
  constexpr std::array<std::pair<std::string_view, Event>, 3> k_events = {
      {{"introduced", Event::introduced}, {"fixed", Event::fixed}, {"last_affected", Event::last_affected}}};
  for (const auto& event : list(json, "events")) {
    for (const auto& [key, kind] : k_events) {
      if (!object(event, "an event").contains(key)) continue;
      out.events.push_back({kind, short_text(string_member(event, key, k_where), key)});
    }
  }
  return out;
}

std::optional<AffectedPackage> package_of(const Json& json) {
  const auto found = object(json, "a member of affected").find("package");
  if (found == json.end() || found->is_null()) return std::nullopt;  // commits only
  AffectedPackage out{.ecosystem = short_text(string_member(*found, "ecosystem", k_where), "the ecosystem"),
                      .name = short_text(string_member(*found, "name", k_where), "the name"),
                      .ranges = {},
                      .versions = texts(json, "versions")};
  for (const auto& range : list(json, "ranges")) {
    const auto type = string_member(object(range, "a range"), "type", k_where);
    if (type == "SEMVER" || type == "ECOSYSTEM") out.ranges.push_back(range_of(range));
  }
  return out;
}

/// A word that a database gives, in ours.
std::string severity_word(std::string_view text) {
  const auto word = to_lower(text);
  if (word == "moderate") return "medium";
  for (const auto* known : {"critical", "high", "medium", "low", "none"}) {
    if (word == known) return word;
  }
  return {};
}

std::string severity_of(const Json& record) {
  const auto specific = record.find("database_specific");
  if (specific != record.end() && specific->is_object()) {
    const auto stated = specific->find("severity");
    if (stated != specific->end() && stated->is_string()) {
      if (auto word = severity_word(stated->get<std::string>()); !word.empty()) return word;
    }
  }
  for (const auto& one : list(record, "severity")) {
    const auto score = object(one, "a severity").find("score");
    if (score == one.end() || !score->is_string()) continue;
    if (auto word = severity_of_cvss(score->get<std::string>()); !word.empty()) return word;
  }
  return {};
}

/// As the specification's appendix A has it: up to one decimal, without the errors of binary fractions.
double round_up(double value) {
  const auto scaled = std::lround(value * 100'000);
  return scaled % 10'000 == 0 ? static_cast<double>(scaled) / 100'000
                              : (std::floor(static_cast<double>(scaled) / 10'000) + 1) / 10;
}

}  // namespace

std::string severity_of_cvss(std::string_view vector) {
  if (!vector.starts_with("CVSS:3.") || vector.size() > k_max_text) return {};
  std::map<std::string_view, std::string_view> metrics;
  for (const auto part : split(vector, '/')) {
    const auto colon = part.find(':');
    if (colon != std::string_view::npos) metrics[part.substr(0, colon)] = part.substr(colon + 1);
  }
  bool known = true;
  const auto weight = [&](std::string_view metric, std::initializer_list<std::pair<std::string_view, double>> weights) {
    const auto found = metrics.find(metric);
    for (const auto& [value, number] : weights) {
      if (found != metrics.end() && found->second == value) return number;
    }
    known = false;
    return 0.0;
  };
  const bool changed = metrics["S"] == "C";
  known = changed || metrics["S"] == "U";
  const auto vector_weight = weight("AV", {{"N", 0.85}, {"A", 0.62}, {"L", 0.55}, {"P", 0.2}});
  const auto complexity = weight("AC", {{"L", 0.77}, {"H", 0.44}});
  const auto privileges = weight("PR", {{"N", 0.85}, {"L", changed ? 0.68 : 0.62}, {"H", changed ? 0.5 : 0.27}});
  const auto interaction = weight("UI", {{"N", 0.85}, {"R", 0.62}});
  double untouched = 1;
  for (const auto* one : {"C", "I", "A"}) untouched *= 1 - weight(one, {{"H", 0.56}, {"L", 0.22}, {"N", 0}});
  if (!known) return {};
  const auto base = 1 - untouched;
  const auto impact = changed ? 7.52 * (base - 0.029) - 3.25 * std::pow(base - 0.02, 15) : 6.42 * base;
  if (impact <= 0) return "none";
  const auto exploitability = 8.22 * vector_weight * complexity * privileges * interaction;
  const auto score = round_up(std::min(10.0, (changed ? 1.08 : 1.0) * (impact + exploitability)));
  if (score >= 9) return "critical";
  if (score >= 7) return "high";
  return score >= 4 ? "medium" : "low";
}

Advisory parse_osv(std::string_view json) {
  const auto record = parse_json(json, {.max_bytes = k_max_record, .max_depth = 32});
  object(record, "the record");
  Advisory out{.id = short_text(string_member(record, "id", k_where), "the id"),
               .aliases = texts(record, "aliases"),
               .upstream = texts(record, "upstream"),
               .summary = {},
               .severity = severity_of(record),
               .modified = short_text(string_member(record, "modified", k_where), "modified"),
               .withdrawn = record.contains("withdrawn") && record.at("withdrawn").is_string(),
               .affected = {}};
  const auto summary = record.find("summary");
  if (summary != record.end() && summary->is_string())
    out.summary = printable(summary->get<std::string>().substr(0, k_max_summary));
  for (const auto& one : list(record, "affected")) {
    if (auto package = package_of(one)) out.affected.push_back(std::move(*package));
  }
  return out;
}

}  // namespace liftlock::advisory
