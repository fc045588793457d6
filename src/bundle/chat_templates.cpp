#include "bundle/chat_templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace liftlock {
namespace {

bool is_model(const Artifact& artifact) {
  return artifact.kind == "model";
}

std::string template_of(const Json& facts) {
  return facts.value("chat_template", Json::object()).value("sha256", "");
}

std::string template_of(const std::string& facts) {
  if (facts.empty()) return {};
  return template_of(parse_json(facts, {.max_bytes = Catalog::k_max_facts, .max_depth = 64}));
}

}  // namespace

std::vector<std::string> other_templates(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                         const std::vector<std::string>& facts) {
  std::vector<std::string> out;
  if (std::none_of(artifacts.begin(), artifacts.end(), is_model)) return out;
  std::map<std::string, std::set<std::string>> in_use;
  for (const auto& here : catalog.artifacts()) {
    if (!is_model(here)) continue;
    if (auto digest = template_of(catalog.inspection(here)); !digest.empty()) in_use[here.name].insert(digest);
  }
  for (std::size_t i = 0; i < artifacts.size(); ++i) {
    if (!is_model(artifacts[i])) continue;
    const auto known = in_use.find(artifacts[i].name);
    if (known == in_use.end() || known->second.contains(template_of(facts[i]))) continue;
    out.push_back(fmt::format(
        "{} does not have the chat template of '{}' as it is in use: whether it is a good one, people decide",
        artifacts[i].id(), artifacts[i].name));
  }
  return out;
}

}  // namespace liftlock
