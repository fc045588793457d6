#include "net/byte_range.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_blank = " \t";

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// A number past 64 bits is past every file.
std::uint64_t saturated(std::string_view digits) {
  return parse_uint(digits).value_or(UINT64_MAX);
}

std::string_view strip(std::string_view text) {
  const auto first = text.find_first_not_of(k_blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(k_blank) - first + 1);
}

std::string_view without_weak_mark(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

}  // namespace

ByteRange parse_range(std::string_view header, std::uint64_t total) {
  const ByteRange whole{ByteRange::Kind::whole, 0, total};
  if (header.size() > 128 || header.size() < 6 || to_lower(header.substr(0, 6)) != "bytes=") return whole;
  const auto spec = strip(header.substr(6));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return whole;
  const auto first = spec.substr(0, dash);
  const auto last = spec.substr(dash + 1);
  if ((!first.empty() && !is_digits(first)) || (!last.empty() && !is_digits(last))) return whole;
  if (first.empty() && last.empty()) return whole;

  const ByteRange outside{ByteRange::Kind::unsatisfiable, 0, 0};
  if (first.empty()) {
    const auto size = std::min(saturated(last), total);
    if (size == 0) return outside;
    return {ByteRange::Kind::part, total - size, size};
  }
  const auto begin = saturated(first);
  const auto end = last.empty() ? UINT64_MAX : saturated(last);
  if (end < begin) return whole;
  if (begin >= total) return outside;
  return {ByteRange::Kind::part, begin, std::min(end, total - 1) - begin + 1};
}

bool matches_none_match(std::string_view header, std::string_view etag) {
  if (strip(header) == "*") return true;
  const auto wanted = without_weak_mark(etag);
  while (!header.empty()) {
    const auto open = header.find('"');
    if (open == std::string_view::npos) return false;
    const auto close = header.find('"', open + 1);
    if (close == std::string_view::npos) return false;
    if (header.substr(open, close - open + 1) == wanted) return true;
    header.remove_prefix(close + 1);
  }
  return false;
}

bool matches_if_range(std::string_view header, std::string_view etag) {
  return !etag.empty() && !etag.starts_with("W/") && strip(header) == etag;
}

}  // namespace liftlock
