// What a command brings about, between its entries in the audit log.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "cli/command.hpp"

namespace liftlock {

/// An effect between its entries (logged_effect of the audit log), or, where there is no installation, the effect
/// alone.
void recorded_effect(Invocation& invocation, const std::string& type, const std::string& subject, const Json& detail,
                     const std::function<void()>& effect);

/// What became of each thing by its subject: nothing where the effect is done, else what kept it from that.
using Outcomes = std::map<std::string, std::optional<Error>>;
/// The same for several things at once, each between entries of its own, which go to the log together: the intents of
/// all of them are durable before effect() starts. What it throws is every one's failure.
Outcomes logged_effects(AuditLog& log, const AuditEvent& event, const std::vector<std::string>& subjects,
                        const std::function<Outcomes()>& effect);

/// What people know of a bundle by now: one entry and no effect, and "CHANNEL/SEQUENCE told".
void note_of_bundle(Invocation& invocation, std::string_view type, const std::string& channel, std::uint64_t sequence,
                    const Json& detail, std::string_view told);

}  // namespace liftlock
