#include "record/answer_parts.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>

namespace liftlock {
namespace {

constexpr char k_mark = '\x1e', k_mark_end = '\x1f';
constexpr std::size_t k_max_name = 32;

/// Of a mark whose first byte is the first of text.
std::optional<std::string_view> marked_name(std::string_view text) {
  const auto end = text.substr(0, k_max_name + 2).find(k_mark_end);
  if (end == std::string_view::npos || end < 2) return std::nullopt;
  const auto name = text.substr(1, end - 1);
  const bool is_name = std::all_of(name.begin(), name.end(),
                                   [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ' '; });
  return is_name ? std::optional(name) : std::nullopt;
}

}  // namespace

std::string AnswerMarks::piece(std::string_view part, std::string_view text) {
  if (text.empty()) return {};
  std::string out;
  if (part != m_part) {
    m_part = part;
    out = k_mark + m_part + k_mark_end;
  }
  for (const char c : text) {
    out += c;
    if (c == k_mark) out += c;  // else a model could write marks
  }
  return out;
}

std::vector<AnswerPart> answer_parts(std::string_view answer) {
  std::vector<AnswerPart> parts{{std::string(k_content_part), {}}};
  std::unordered_map<std::string_view, std::size_t> places{{k_content_part, 0}};
  std::size_t current = 0;
  while (!answer.empty()) {
    const auto before = answer.substr(0, answer.find(k_mark));
    parts[current].text += before;
    answer.remove_prefix(before.size());
    if (answer.empty()) break;
    if (const auto name = marked_name(answer)) {
      answer.remove_prefix(name->size() + 2);
      const auto [place, is_new] = places.try_emplace(*name, parts.size());
      current = place->second;
      if (is_new) parts.push_back({std::string(*name), {}});
    } else {
      parts[current].text += k_mark;
      answer.remove_prefix(answer.substr(1).starts_with(k_mark) ? 2 : 1);
    }
  }
  return parts;
}

}  // namespace liftlock
