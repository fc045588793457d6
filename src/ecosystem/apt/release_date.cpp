#include "ecosystem/apt/release_date.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "ecosystem/apt/deb822.hpp"

namespace liftlock::apt {
namespace {

constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> k_days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

}  // namespace

std::optional<Timestamp> parse_release_date(std::string_view text) {
  using namespace std::chrono;
  auto parts = words(text);
  if (!parts.empty() && parts[0].ends_with(',')) parts.erase(parts.begin());
  if (parts.size() != 5) return std::nullopt;
  const std::string_view zone = parts[4];
  if (zone != "UTC" && zone != "GMT" && zone != "Z" && zone != "+0000") return std::nullopt;
  const auto day_number = parse_uint(parts[0]), year_number = parse_uint(parts[2]);
  const auto month_at = std::find(k_months.begin(), k_months.end(), parts[1]);
  const auto clock = split(parts[3], ':');
  if (!day_number || !year_number || *day_number > 31 || *year_number < 1970 || *year_number > 9999 ||
      month_at == k_months.end() || clock.size() != 3) {
    return std::nullopt;
  }
  const auto h = parse_uint(clock[0]), m = parse_uint(clock[1]), s = parse_uint(clock[2]);
  if (!h || !m || !s || *h > 23 || *m > 59 || *s > 60) return std::nullopt;
  const year_month_day date(year(static_cast<int>(*year_number)),
                            month(static_cast<unsigned>(month_at - k_months.begin()) + 1),
                            day(static_cast<unsigned>(*day_number)));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + hours(*h) + minutes(*m) + seconds(*s);
}

std::string format_release_date(Timestamp time) {
  using namespace std::chrono;
  const auto days = floor<std::chrono::days>(time);
  const year_month_day date(days);
  const hh_mm_ss clock(time - days);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} UTC", k_days[weekday(days).c_encoding()],
                     static_cast<unsigned>(date.day()), k_months[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace liftlock::apt
