#include "ecosystem/apt/deb_version.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace liftlock::apt {
namespace {

constexpr std::size_t k_max_version = 512;
constexpr std::uint64_t k_max_epoch = 2147483647;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct Parts {
  std::string_view epoch;
  std::string_view upstream;
  std::string_view revision;
};

Parts split_version(std::string_view text) {
  Parts parts;
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    parts.epoch = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (const auto dash = text.rfind('-'); dash != std::string_view::npos) {
    parts.revision = text.substr(dash + 1);
    text = text.substr(0, dash);
  }
  parts.upstream = text;
  return parts;
}

/// How a byte sorts in the non-digit part: '~' before the end, the end before letters, letters before the rest.
int weight(std::string_view text, std::size_t at) {
  if (at >= text.size() || is_digit(text[at])) return 0;
  if (text[at] == '~') return -1;
  const int byte = static_cast<unsigned char>(text[at]);
  return is_letter(text[at]) ? byte : byte + 256;
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  auto digits = text.substr(0, count);
  text.remove_prefix(count);
  while (!digits.empty() && digits.front() == '0') digits.remove_prefix(1);
  return digits;
}

std::weak_ordering compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

std::weak_ordering compare_part(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    std::size_t i = 0;
    while ((i < a.size() && !is_digit(a[i])) || (i < b.size() && !is_digit(b[i]))) {
      const int left = weight(a, i), right = weight(b, i);
      if (left != right) return left <=> right;
      ++i;
    }
    a.remove_prefix(std::min(i, a.size()));
    b.remove_prefix(std::min(i, b.size()));
    if (const auto order = compare_numbers(take_digits(a), take_digits(b)); order != 0) return order;
  }
  return std::weak_ordering::equivalent;
}

}  // namespace

bool is_version(std::string_view text) {
  if (text.empty() || text.size() > k_max_version) return false;
  const bool has_epoch = text.find(':') != std::string_view::npos;
  const bool has_revision = text.find('-') != std::string_view::npos;
  const auto parts = split_version(text);
  if (has_epoch) {
    const auto epoch = parse_uint(parts.epoch);
    if (!epoch || *epoch > k_max_epoch) return false;
  }
  const auto allowed = [](std::string_view part, std::string_view marks) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [&](char c) {
      return is_digit(c) || is_letter(c) || marks.find(c) != std::string_view::npos;
    });
  };
  if (!allowed(parts.upstream, ".+~-:") || !is_digit(parts.upstream.front())) return false;
  return !has_revision || allowed(parts.revision, ".+~");
}

std::weak_ordering compare_versions(std::string_view a, std::string_view b) {
  auto left = split_version(a), right = split_version(b);
  if (const auto order = compare_part(left.epoch, right.epoch); order != 0) return order;
  if (const auto order = compare_part(left.upstream, right.upstream); order != 0) return order;
  return compare_part(left.revision, right.revision);
}

std::optional<VersionRelation> parse_version_relation(std::string_view text) {
  if (text == "<<") return VersionRelation::earlier;
  if (text == "<=" || text == "<") return VersionRelation::earlier_or_equal;
  if (text == "=") return VersionRelation::equal;
  if (text == ">=" || text == ">") return VersionRelation::later_or_equal;
  if (text == ">>") return VersionRelation::later;
  return std::nullopt;
}

std::string_view text(VersionRelation relation) {
  switch (relation) {
    case VersionRelation::any:
      return "";
    case VersionRelation::earlier:
      return "<<";
    case VersionRelation::earlier_or_equal:
      return "<=";
    case VersionRelation::equal:
      return "=";
    case VersionRelation::later_or_equal:
      return ">=";
    case VersionRelation::later:
      return ">>";
  }
  return "";
}

bool satisfies(std::string_view version, VersionRelation relation, std::string_view wanted) {
  if (relation == VersionRelation::any) return true;
  const auto order = compare_versions(version, wanted);
  switch (relation) {
    case VersionRelation::earlier:
      return order < 0;
    case VersionRelation::earlier_or_equal:
      return order <= 0;
    case VersionRelation::equal:
      return order == 0;
    case VersionRelation::later_or_equal:
      return order >= 0;
    case VersionRelation::later:
      return order > 0;
    case VersionRelation::any:
      break;
  }
  return true;
}

}  // namespace liftlock::apt
