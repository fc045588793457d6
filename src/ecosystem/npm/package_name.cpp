#include "ecosystem/npm/package_name.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace liftlock::npm {
namespace {

constexpr std::size_t k_max_name = 214;
constexpr std::size_t k_max_version = 256;
constexpr std::string_view k_digits = "0123456789";
constexpr std::string_view k_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool consists_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return k_digits.find(c) != std::string_view::npos || k_letters.find(c) != std::string_view::npos ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_name_part(std::string_view part) {
  return consists_of(part, "._~-") && part.front() != '.';
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(k_digits) == std::string_view::npos;
}

std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

/// §11.4: numbers by value and below words, words bytewise.
std::strong_ordering compare_identifiers(std::string_view a, std::string_view b) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b);
  if (is_number(a) != is_number(b)) return is_number(a) ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.compare(b) <=> 0;
}

}  // namespace

bool is_package_name(std::string_view name) {
  if (name.size() > k_max_name) return false;
  if (!name.starts_with('@')) return is_name_part(name);
  const auto slash = name.find('/');
  return slash != std::string_view::npos && is_name_part(name.substr(1, slash - 1)) &&
         is_name_part(name.substr(slash + 1));
}

std::string_view without_scope(std::string_view name) {
  const auto slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

std::string tarball_name(std::string_view name, std::string_view version) {
  return fmt::format("{}-{}.tgz", without_scope(name), version);
}

std::optional<Version> Version::parse(std::string_view text) {
  if (text.size() > k_max_version) return std::nullopt;
  if (const auto plus = text.find('+'); plus != std::string_view::npos) {
    for (const auto part : split(text.substr(plus + 1), '.')) {
      if (!consists_of(part, "-")) return std::nullopt;
    }
    text = text.substr(0, plus);
  }
  Version out;
  out.m_text = text;
  const auto dash = text.find('-');
  if (dash != std::string_view::npos) {
    for (const auto part : split(text.substr(dash + 1), '.')) {
      if (!consists_of(part, "-") || (is_number(part) && part.size() > 1 && part[0] == '0')) return std::nullopt;
      out.m_prerelease.emplace_back(part);
    }
  }
  const auto numbers = split(text.substr(0, dash), '.');
  if (numbers.size() != 3) return std::nullopt;
  for (const auto number : numbers) {
    if (!is_number(number) || (number.size() > 1 && number[0] == '0')) return std::nullopt;
    out.m_numbers.emplace_back(number);
  }
  return out;
}

std::strong_ordering Version::operator<=>(const Version& other) const {
  for (std::size_t i = 0; i < m_numbers.size(); ++i) {
    if (const auto order = compare_numbers(m_numbers[i], other.m_numbers[i]); order != 0) return order;
  }
  if (is_prerelease() != other.is_prerelease()) {
    return is_prerelease() ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  for (std::size_t i = 0; i < std::min(m_prerelease.size(), other.m_prerelease.size()); ++i) {
    if (const auto order = compare_identifiers(m_prerelease[i], other.m_prerelease[i]); order != 0) return order;
  }
  return m_prerelease.size() <=> other.m_prerelease.size();
}

}  // namespace liftlock::npm
