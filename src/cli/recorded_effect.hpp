// What a command brings about, between its entries in the audit log.
#pragma once

#include <functional>
#include <string>

#include "base/json.hpp"
#include "cli/command.hpp"

namespace liftlock {

/// An effect between its entries (logged_effect of the audit log), or, where there is no installation, the effect
/// alone.
void recorded_effect(Invocation& invocation, const std::string& type, const std::string& subject, const Json& detail,
                     const std::function<void()>& effect);

}  // namespace liftlock
