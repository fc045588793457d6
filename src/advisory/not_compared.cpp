#include "advisory/not_compared.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "advisory/affected.hpp"

namespace liftlock::advisory {

NotCompared not_compared(const std::vector<Artifact>& artifacts) {
  NotCompared out;
  for (const auto& artifact : artifacts) {
    const bool proof = artifact.kind == "advisories" || artifact.kind.ends_with("-index") || artifact.kind == "rpm-key";
    if (proof || !known_packages(artifact).empty()) continue;
    ++out.kinds[artifact.kind];
    if (artifact.kind == "rpm" && !artifact.facts.contains("vendor")) ++out.without_vendor;
  }
  return out;
}

std::string to_text(const NotCompared& what) {
  std::string out;
  for (const auto& [kind, count] : what.kinds) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, kind);
    if (kind == "rpm" && what.without_vendor > 0)
      out += fmt::format(" (the vendor of {} was not kept: lock or import them again)", what.without_vendor);
  }
  return out;
}

}  // namespace liftlock::advisory
