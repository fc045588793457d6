#include "engine/stored_engines.hpp"

#include <fmt/ranges.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock::engine {

std::string engine_in(const Artifact& package) {
  const auto found = package.facts.find("engine");
  return found != package.facts.end() && found->is_string() ? found->get<std::string>() : package.name;
}

std::vector<Artifact> stored_engines(const Catalog& catalog) {
  std::vector<Artifact> out;
  for (auto& artifact : catalog.artifacts()) {
    if (artifact.kind == "engine") out.push_back(std::move(artifact));
  }
  return out;
}

std::optional<Artifact> newest_of(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                  const std::function<bool(const Artifact&)>& fits) {
  const Artifact* newest = nullptr;
  for (const auto& one : artifacts) {
    if (fits(one) && (newest == nullptr || ::strverscmp(newest->version.c_str(), one.version.c_str()) < 0))
      newest = &one;
  }
  return newest == nullptr ? std::nullopt : catalog.find(newest->id());
}

std::optional<Artifact> find_stored_engine(const Catalog& catalog, std::string_view name) {
  const auto packages = stored_engines(catalog);
  if (auto found = newest_of(catalog, packages, [&](const auto& package) { return package.id() == name; }))
    return found;
  if (auto found = newest_of(catalog, packages, [&](const auto& package) { return package.name == name; }))
    return found;
  std::set<std::string> variants;
  auto by_engine = newest_of(catalog, packages, [&](const auto& package) {
    if (engine_in(package) != name) return false;
    variants.insert(package.name);
    return true;
  });
  if (variants.size() > 1) {
    throw Error(ErrorCode::ambiguous,
                fmt::format("the store holds several variants of the engine '{}'", printable(name)),
                fmt::format("name one of {}", printable(fmt::format("{}", fmt::join(variants, ", ")))));
  }
  return by_engine;
}

}  // namespace liftlock::engine
