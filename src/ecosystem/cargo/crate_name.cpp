#include "ecosystem/cargo/crate_name.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace liftlock::cargo {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_digit) && (text.size() == 1 || text[0] != '0');
}

bool are_identifiers(std::string_view text) {
  for (const auto part : split(text, '.')) {
    const bool sound =
        std::all_of(part.begin(), part.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
    if (part.empty() || !sound) return false;
  }
  return true;
}

}  // namespace

bool is_crate_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [](char c) {
    return is_letter(c) || is_digit(c) || c == '-' || c == '_';
  });
}

bool is_crate_version(std::string_view version) {
  if (version.empty() || version.size() > 128) return false;
  if (const auto plus = version.find('+'); plus != std::string_view::npos) {
    if (!are_identifiers(version.substr(plus + 1))) return false;
    version = version.substr(0, plus);
  }
  if (const auto minus = version.find('-'); minus != std::string_view::npos) {
    if (!are_identifiers(version.substr(minus + 1))) return false;
    version = version.substr(0, minus);
  }
  const auto numbers = split(version, '.');
  return numbers.size() == 3 && std::all_of(numbers.begin(), numbers.end(), is_number);
}

std::string collision_key(std::string_view name) {
  auto out = to_lower(name);
  std::replace(out.begin(), out.end(), '_', '-');
  return out;
}

std::string index_path(std::string_view name) {
  const auto lower = to_lower(name);
  if (lower.size() <= 2) return std::to_string(lower.size()) + "/" + lower;
  if (lower.size() == 3) return "3/" + lower.substr(0, 1) + "/" + lower;
  return lower.substr(0, 2) + "/" + lower.substr(2, 2) + "/" + lower;
}

}  // namespace liftlock::cargo
