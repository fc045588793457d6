#include "ecosystem/go/module_path.hpp"

#include <algorithm>
#include <vector>

#include "base/rel_path.hpp"
#include "base/text.hpp"

namespace liftlock::go {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_capital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

struct Parts {
  std::vector<std::string_view> numbers;
  std::string_view prerelease;
  std::string_view build;
};

std::optional<Parts> parts_of(std::string_view version) {
  Parts out;
  if (version.size() < 2 || version.size() > 256 || version[0] != 'v') return std::nullopt;
  version.remove_prefix(1);
  if (const auto plus = version.find('+'); plus != std::string_view::npos) {
    out.build = version.substr(plus + 1);
    version = version.substr(0, plus);
  }
  if (const auto minus = version.find('-'); minus != std::string_view::npos) {
    out.prerelease = version.substr(minus + 1);
    version = version.substr(0, minus);
    for (const auto part : split(out.prerelease, '.')) {
      const bool sound =
          std::all_of(part.begin(), part.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
      if (part.empty() || !sound || (is_number(part) && part.size() > 1 && part[0] == '0')) return std::nullopt;
    }
  }
  out.numbers = split(version, '.');
  if (out.numbers.size() != 3) return std::nullopt;
  for (const auto number : out.numbers) {
    if (!is_number(number) || (number.size() > 1 && number[0] == '0')) return std::nullopt;
  }
  return out;
}

int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  const auto order = a.compare(b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

int compare_prereleases(std::string_view a, std::string_view b) {
  if (a == b) return 0;
  if (a.empty()) return 1;
  if (b.empty()) return -1;
  const auto ours = split(a, '.'), theirs = split(b, '.');
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if (ours[i] == theirs[i]) continue;
    const bool number = is_number(ours[i]), other_number = is_number(theirs[i]);
    if (number != other_number) return number ? -1 : 1;
    if (number) return compare_numbers(ours[i], theirs[i]);
    return ours[i] < theirs[i] ? -1 : 1;
  }
  return ours.size() < theirs.size() ? -1 : 1;
}

}  // namespace

bool is_module_path(std::string_view path) {
  if (path.empty() || path.size() > 512 || !RelPath::try_parse(path)) return false;
  for (const auto element : split(path, '/')) {
    const bool sound = std::all_of(element.begin(), element.end(), [](char c) {
      return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
    });
    if (!sound || element.starts_with('.') || element.ends_with('.')) return false;
  }
  return path[0] != '-';
}

bool is_module_version(std::string_view version) {
  const auto parts = parts_of(version);
  return parts && (version.find('+') == std::string_view::npos || parts->build == "incompatible");
}

std::string escape_module(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_capital(c)) out += '!';
    out += is_capital(c) ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::optional<std::string> unescape_module(std::string_view escaped) {
  std::string out;
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    if (is_capital(escaped[i])) return std::nullopt;
    if (escaped[i] != '!') {
      out += escaped[i];
      continue;
    }
    ++i;
    if (i == escaped.size() || escaped[i] < 'a' || escaped[i] > 'z') return std::nullopt;
    out += static_cast<char>(escaped[i] - 'a' + 'A');
  }
  return out;
}

int compare_versions(std::string_view a, std::string_view b) {
  const auto ours = parts_of(a), theirs = parts_of(b);
  if (!ours || !theirs) return a.compare(b) < 0 ? -1 : a == b ? 0 : 1;
  for (std::size_t i = 0; i < 3; ++i) {
    if (const auto order = compare_numbers(ours->numbers[i], theirs->numbers[i]); order != 0) return order;
  }
  if (const auto order = compare_prereleases(ours->prerelease, theirs->prerelease); order != 0) return order;
  const auto order = ours->build.compare(theirs->build);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

bool is_prerelease(std::string_view version) {
  const auto parts = parts_of(version);
  return parts && !parts->prerelease.empty();
}

std::optional<std::string> pseudo_version_time(std::string_view version) {
  // vX.0.0-TIME-REVISION, vX.Y.Z-pre.0.TIME-REVISION, vX.Y.(Z+1)-0.TIME-REVISION
  const auto parts = parts_of(version);
  if (!parts) return std::nullopt;
  const auto dash = parts->prerelease.rfind('-');
  if (dash == std::string_view::npos || parts->prerelease.size() - dash - 1 != 12) return std::nullopt;
  auto time = parts->prerelease.substr(0, dash);
  if (const auto dot = time.rfind('.'); dot != std::string_view::npos) time = time.substr(dot + 1);
  if (time.size() != 14 || !is_number(time)) return std::nullopt;
  return std::string(time);
}

}  // namespace liftlock::go
