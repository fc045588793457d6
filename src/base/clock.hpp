// Time as documents carry it. SOURCE_DATE_EPOCH, where set, replaces the wall clock (reproducible-builds.org).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock {

using Timestamp = std::chrono::sys_seconds;

/// The wall clock, in whole seconds.
Timestamp now();
/// RFC 3339 in UTC: 2026-11-23T06:00:00Z
std::string format_time(Timestamp time);
/// For people, of what lasts up to a time: "the end of 2026-12-31" where that is when the next day begins (UTC), else
/// as format_time() has it.
std::string format_end(Timestamp end);
/// Accepts exactly what format_time writes. @throws Error{schema_violation}
Timestamp parse_time(std::string_view text);
/// "90s", "15m", "12h", "30d", "2w"; nullopt for anything else.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

}  // namespace liftlock
