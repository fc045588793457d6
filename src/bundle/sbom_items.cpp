#include "bundle/sbom_items.hpp"

#include <algorithm>
#include <tuple>

#include "artifact/artifact_text.hpp"
#include "base/loose_json.hpp"
#include "bundle/licenses.hpp"
#include "crypto/hash.hpp"

namespace liftlock::bill {

const KindWords& words_of(std::string_view kind) {
  static constexpr KindWords k_kinds[] = {
      {"model", "machine-learning-model", "OTHER"},
      {"image", "container", "CONTAINER"},
      {"engine", "application", "APPLICATION"},
      {"file", "file", "FILE"},
      {"apt-index", "data", "OTHER"},
      {"rpm-index", "data", "OTHER"},
      {"rpm-key", "data", "OTHER"},
      {"advisories", "data", "OTHER"},
      {"dataset", "data", "OTHER"},
  };
  static constexpr KindWords k_others = {"", "library", "LIBRARY"};
  for (const auto& words : k_kinds) {
    if (words.kind == kind) return words;
  }
  return k_others;
}

std::vector<std::string> list(const Json& facts, const char* key) {
  std::vector<std::string> out;
  if (!facts.is_object()) return out;
  const auto found = facts.find(key);
  if (found == facts.end() || !found->is_array()) return out;
  for (const auto& item : *found) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

const Json& Item::card() const {
  static const Json k_none = Json::object();
  const auto found = facts.is_object() ? facts.find("card") : facts.end();
  return facts.is_object() && found != facts.end() ? *found : k_none;
}

std::string Item::license() const {
  return stated_license(artifact, facts);
}

std::vector<std::string> Item::datasets() const {
  auto out = list(facts, "datasets");
  return out.empty() ? list(card(), "datasets") : out;
}

std::vector<std::string> Item::base_models() const {
  auto out = list(facts, "base_models");
  return out.empty() ? list(card(), "base_model") : out;
}

Item item_of(const Artifact& artifact, const InspectedFacts& inspected) {
  return {artifact, inspected ? inspected(artifact) : Json::object()};
}

Listed::Listed(const std::vector<Artifact>& artifacts) {
  for (const auto& artifact : artifacts) m_all.push_back({&artifact, artifact.id(), {}});
  // Only ids with several contents need to know which is which.
  std::map<std::string_view, std::size_t> times;
  for (const auto& one : m_all) ++times[one.ref];
  for (auto& one : m_all) {
    if (times.at(one.ref) > 1) one.content = sha256(artifact_line(*one.artifact)).hex();
  }
  const auto key = [](const One& one) { return std::tie(one.ref, one.content); };
  std::sort(m_all.begin(), m_all.end(), [&](const One& a, const One& b) { return key(a) < key(b); });
  const auto same = [&](const One& a, const One& b) { return key(a) == key(b); };
  m_all.erase(std::unique(m_all.begin(), m_all.end(), same), m_all.end());
  for (std::size_t i = 0; i < m_all.size(); ++i) m_by_id[m_all[i].ref].push_back(i);
  for (auto& one : m_all) {
    if (m_by_id.at(one.artifact->id()).size() > 1) one.ref += "#" + one.content;
  }
}

std::set<std::size_t> Listed::needs_of(const Artifact& artifact) const {
  std::set<std::size_t> out;
  for (const auto& id : artifact.needs) {
    if (const auto found = m_by_id.find(id); found != m_by_id.end())
      out.insert(found->second.begin(), found->second.end());
  }
  return out;
}

bool is_plain_url(std::string_view text) {
  constexpr std::string_view k_more = ":/?#[]@!$&'()*+,;=-._~%";
  if (!text.starts_with("https://") && !text.starts_with("http://")) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           k_more.find(c) != std::string_view::npos;
  });
}

}  // namespace liftlock::bill
