#include "ecosystem/pypi/project_name.hpp"

namespace liftlock {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_separator(char c) {
  return c == '-' || c == '_' || c == '.';
}

}  // namespace

bool is_project_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || !is_alphanumeric(name.front()) || !is_alphanumeric(name.back()))
    return false;
  for (const char c : name) {
    if (!is_alphanumeric(c) && !is_separator(c)) return false;
  }
  return true;
}

std::string normalize_project_name(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (!is_separator(c)) {
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    } else if (out.empty() || out.back() != '-') {
      out += '-';
    }
  }
  return out;
}

}  // namespace liftlock
