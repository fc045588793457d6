// Dates as Release files have them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace liftlock::apt {

/// "Sat, 11 Jul 2026 10:16:37 UTC" (RFC 5322 with a zone of UTC, GMT, Z or +0000); nullopt for anything else.
std::optional<Timestamp> parse_release_date(std::string_view text);
std::string format_release_date(Timestamp time);

}  // namespace liftlock::apt
