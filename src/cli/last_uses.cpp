#include "cli/last_uses.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace liftlock {

LastUses last_uses(const AuditLog& log, const std::map<std::string, std::string>& packages) {
  LastUses out;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    if (event.outcome == Outcome::failure) return true;
    if (event.type == "mirror.read" || event.type == "model.load" || event.type.ends_with(".push"))
      out[event.subject] = entry.time;
    if (event.type != "engine.start") return true;
    const auto package = packages.find(parse_json(event.detail).value("engine", ""));
    if (package != packages.end()) out[package->second] = entry.time;
    return true;
  });
  return out;
}

std::set<std::string> used_of(const Publication& publication, const LastUses& uses) {
  std::set<std::string> out;
  const auto look = [&](const std::string& subject) {
    if (uses.contains(subject)) out.insert(subject);
  };
  for (const auto& artifact : publication.artifacts) {
    look(artifact.id());
    for (const auto& file : artifact.files) look(file.digest.text());
  }
  return out;
}

LastUse last_use(const Publication& publication, const LastUses& uses, const std::set<std::string>& staying) {
  LastUse out;
  for (const auto& subject : used_of(publication, uses)) {
    auto& newest = staying.contains(subject) ? out.shared : out.own;
    newest = std::max(newest, std::optional(uses.at(subject)));  // nothing is less than any time
  }
  return out;
}

}  // namespace liftlock
