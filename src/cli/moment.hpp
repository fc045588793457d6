// Points in time, as people give them on the command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace liftlock {

/// A day is meant in UTC, from its begin (00:00:00), to its end (00:00:00 of the next one), or, where a bound is within
/// what it bounds, to its last second.
enum class Day : std::uint8_t { begins, ends, last_second };

/// "2026-11-23T06:00:00Z" or "2026-11-23"; nullopt for anything else.
std::optional<Timestamp> parse_day_or_time(const std::string& text, Day day);
/// The same, or how long ago: "30d". @throws Error{usage} that names the option
Timestamp parse_moment(const std::string& text, std::string_view option, Day day);

}  // namespace liftlock
