#include "engine/last_load.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/loose_json.hpp"
#include "engine/load_gate.hpp"

namespace liftlock::engine {
namespace {

/// @param member of the detail, which has the digest of the model's main file
bool is_of(const AuditEntry& entry, std::string_view member, const Artifact& model) {
  return text_in(parse_json(entry.event.detail), member) == main_digest(model).text();
}

}  // namespace

std::optional<AuditEntry> last_load(const AuditLog& log, const Artifact& model) {
  return log.find_last("model.load", model.id(), [&](const AuditEntry& entry) {
    return entry.event.outcome == Outcome::success && is_of(entry, "digest", model);
  });
}

std::optional<AuditEntry> last_start(const AuditLog& log, const Artifact& model) {
  return log.find_last("engine.start", model.id(), [&](const AuditEntry& entry) {
    return entry.event.outcome != Outcome::failure && is_of(entry, "model", model);
  });
}

}  // namespace liftlock::engine
