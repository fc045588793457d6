#include "advisory/rpm_version.hpp"

#include <algorithm>
#include <cstdint>

namespace liftlock::advisory {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// What a version is made of, in the order of what is later: "1.0~rc" < "1.0" < "1.0^git" < "1.0a" < "1.0.1".
enum class Kind : std::uint8_t { tilde, end, caret, letters, digits };

struct Segment {
  Kind kind = Kind::end;
  std::string_view text;  ///< digits without leading zeros
};

/// Cuts the next segment off; separators before it say nothing.
Segment next_segment(std::string_view& rest) {
  const auto says_something = [](char c) { return is_digit(c) || is_letter(c) || c == '~' || c == '^'; };
  rest.remove_prefix(static_cast<std::size_t>(std::find_if(rest.begin(), rest.end(), says_something) - rest.begin()));
  if (rest.empty()) return {};
  const auto take = [&](std::size_t length) {
    const auto out = rest.substr(0, length);
    rest.remove_prefix(length);
    return out;
  };
  if (rest.front() == '~') return {Kind::tilde, take(1)};
  if (rest.front() == '^') return {Kind::caret, take(1)};
  const auto run = [&](bool (*belongs)(char)) {
    return take(static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), belongs) - rest.begin()));
  };
  if (is_letter(rest.front())) return {Kind::letters, run(is_letter)};
  auto number = run(is_digit);
  number.remove_prefix(std::min(number.find_first_not_of('0'), number.size()));
  return {Kind::digits, number};
}

std::weak_ordering compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

struct Parts {
  std::string_view epoch, version, release;
};

Parts parts_of(std::string_view text) {
  Parts out;
  const auto digits = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  if (digits < text.size() && text[digits] == ':') {
    out.epoch = text.substr(0, digits);
    text.remove_prefix(digits + 1);
  }
  const auto dash = text.rfind('-');
  out.version = text.substr(0, dash);
  if (dash != std::string_view::npos) out.release = text.substr(dash + 1);
  return out;
}

std::weak_ordering compare_without_epoch(const Parts& a, const Parts& b) {
  if (const auto order = compare_rpm_part(a.version, b.version); order != 0) return order;
  return compare_rpm_part(a.release, b.release);
}

}  // namespace

std::weak_ordering compare_rpm_part(std::string_view a, std::string_view b) {
  for (;;) {
    const auto left = next_segment(a), right = next_segment(b);
    if (left.kind != right.kind) return left.kind <=> right.kind;
    if (left.kind == Kind::end) return std::weak_ordering::equivalent;
    const auto order = left.kind == Kind::digits ? compare_numbers(left.text, right.text)
                                                 : std::weak_ordering(left.text.compare(right.text) <=> 0);
    if (order != 0) return order;
  }
}

std::weak_ordering compare_rpm(std::string_view a, std::string_view b) {
  const auto left = parts_of(a), right = parts_of(b);
  if (const auto order =
          compare_rpm_part(left.epoch.empty() ? "0" : left.epoch, right.epoch.empty() ? "0" : right.epoch);
      order != 0) {
    return order;
  }
  return compare_without_epoch(left, right);
}

std::weak_ordering compare_rpm_without_epoch(std::string_view a, std::string_view b) {
  return compare_without_epoch(parts_of(a), parts_of(b));
}

}  // namespace liftlock::advisory
