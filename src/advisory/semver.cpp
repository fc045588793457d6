#include "advisory/semver.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"

namespace liftlock::advisory {
namespace {

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Of any length: without leading zeros the longer one is larger.
std::weak_ordering compare_numbers(std::string_view a, std::string_view b) {
  a.remove_prefix(std::min(a.find_first_not_of('0'), a.size()));
  b.remove_prefix(std::min(b.find_first_not_of('0'), b.size()));
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

/// Section 11.4: numbers below words, numbers by value, words by bytes.
std::weak_ordering compare_identifiers(std::string_view a, std::string_view b) {
  const bool number = is_number(a), other = is_number(b);
  if (number && other) return compare_numbers(a, b);
  if (number != other) return number ? std::weak_ordering::less : std::weak_ordering::greater;
  return a.compare(b) <=> 0;
}

std::weak_ordering compare_lists(std::string_view a, std::string_view b, std::string_view missing) {
  const auto left = split(a, '.'), right = split(b, '.');
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
    if (missing.empty() && (i >= left.size() || i >= right.size())) return left.size() <=> right.size();
    const auto order = compare_identifiers(i < left.size() ? left[i] : missing, i < right.size() ? right[i] : missing);
    if (order != 0) return order;
  }
  return std::weak_ordering::equivalent;
}

struct Parts {
  std::string_view numbers;
  std::string_view prerelease;
};

Parts parts_of(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  text = text.substr(0, text.find('+'));
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return {text, {}};
  return {text.substr(0, dash), text.substr(dash + 1)};
}

}  // namespace

std::weak_ordering compare_semver(std::string_view a, std::string_view b) {
  const auto left = parts_of(a), right = parts_of(b);
  if (const auto order = compare_lists(left.numbers, right.numbers, "0"); order != 0) return order;
  if (left.prerelease.empty() || right.prerelease.empty()) {
    return left.prerelease.empty() <=> right.prerelease.empty();
  }
  return compare_lists(left.prerelease, right.prerelease, {});
}

}  // namespace liftlock::advisory
