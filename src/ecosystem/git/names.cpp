#include "ecosystem/git/names.hpp"

#include <algorithm>

#include "base/rel_path.hpp"
#include "base/text.hpp"

namespace liftlock::git {

bool is_repository_name(std::string_view name) {
  constexpr std::string_view k_digits_and_letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  if (name.empty() || name.size() > 100 || k_digits_and_letters.find(name[0]) == std::string_view::npos) return false;
  const bool known = std::all_of(name.begin(), name.end(), [&](char c) {
    return k_digits_and_letters.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
  });
  return known && !name.ends_with(".git") && !name.ends_with(".bundle") && RelPath::try_parse(name).has_value();
}

bool is_ref_name(std::string_view name) {
  if (!name.starts_with("refs/") || name.size() > 500 || name.ends_with('/') || name.ends_with('.')) return false;
  for (const auto part : split(name, '/')) {
    if (part.empty() || part.starts_with('.') || part.ends_with(".lock")) return false;
  }
  if (name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view("~^:?*[\\").find(c) == std::string_view::npos;
  });
}

}  // namespace liftlock::git
