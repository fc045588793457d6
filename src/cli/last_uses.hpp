// When what the store holds was last used, as the audit log tells it: what was not may go.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// By the id of an artifact, or the text of a file's digest: reads from the mirror, loads of models, pushes into
/// repositories of the site, starts of engines.
using LastUses = std::map<std::string, Timestamp>;

/// @param packages of the installed engines: the text of the package's digest, by the engine's full name
LastUses last_uses(const AuditLog& log, const std::map<std::string, std::string>& packages);

/// What of `uses` is of this publication's artifacts.
std::set<std::string> used_of(const Publication& publication, const LastUses& uses);

/// Of a publication's artifacts, when they were last used; nullopt: never.
struct LastUse {
  std::optional<Timestamp> own;     ///< of what goes with it
  std::optional<Timestamp> shared;  ///< of what a publication that stays brings, too
};
/// @param staying used_of() those that stay
LastUse last_use(const Publication& publication, const LastUses& uses, const std::set<std::string>& staying);

}  // namespace liftlock
