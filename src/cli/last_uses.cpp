#include "cli/last_uses.hpp"

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

std::optional<Timestamp> last_use(const Publication& publication, const LastUses& uses) {
  std::optional<Timestamp> newest;
  const auto look = [&](const std::string& subject) {
    const auto found = uses.find(subject);
    if (found != uses.end() && (!newest || *newest < found->second)) newest = found->second;
  };
  for (const auto& artifact : publication.artifacts) {
    look(artifact.id());
    for (const auto& file : artifact.files) look(file.digest.text());
  }
  return newest;
}

}  // namespace liftlock
