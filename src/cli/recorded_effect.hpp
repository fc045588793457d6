// What a command brings about, between its entries in the audit log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "cli/command.hpp"

namespace liftlock {

/// An effect between its entries (logged_effect of the audit log), or, where there is no installation, the effect
/// alone.
void recorded_effect(Invocation& invocation, const std::string& type, const std::string& subject, const Json& detail,
                     const std::function<void()>& effect);

/// What people know of a bundle by now: one entry and no effect, and "CHANNEL/SEQUENCE told".
void note_of_bundle(Invocation& invocation, std::string_view type, const std::string& channel, std::uint64_t sequence,
                    const Json& detail, std::string_view told);

}  // namespace liftlock
