// What the audit log says last of one content of a model. Several may have come under one id, and what happened to one
// says nothing of another.
#pragma once

#include <optional>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"

namespace liftlock::engine {

/// The entry model.load of the last time that it passed the load gate. @throws what AuditLog::find_last() throws
std::optional<AuditEntry> last_load(const AuditLog& log, const Artifact& model);
/// The entry engine.start of the last engine that got it and did not fail to start; `engine run` writes the
/// announcement only. @throws as last_load() does
std::optional<AuditEntry> last_start(const AuditLog& log, const Artifact& model);

}  // namespace liftlock::engine
