#include "cli/moment.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {

std::optional<Timestamp> parse_day_or_time(const std::string& text, Day day) {
  constexpr std::size_t k_day_size = 10;
  try {
    if (text.size() != k_day_size) return parse_time(text);
    const auto begin = parse_time(text + "T00:00:00Z");
    if (day == Day::begins) return begin;
    return begin + std::chrono::days(1) - std::chrono::seconds(day == Day::last_second ? 1 : 0);
  } catch (const Error&) {
    return std::nullopt;
  }
}

Timestamp parse_moment(const std::string& text, std::string_view option, Day day) {
  if (const auto ago = parse_duration(text)) return now() - *ago;
  if (const auto moment = parse_day_or_time(text, day)) return *moment;
  throw Error(ErrorCode::usage, fmt::format("{} cannot be '{}'", option, printable(text)),
              "it is a day (2026-11-01), a time (2026-11-01T12:00:00Z), or how long ago (90d)");
}

}  // namespace liftlock
