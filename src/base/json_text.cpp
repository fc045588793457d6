#include "base/json_text.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"

namespace liftlock {
namespace {

std::string dumped(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void JsonText::new_line() {
  if (m_style == Style::line) return;
  m_out += '\n';
  m_out.append(2 * m_open.size(), ' ');
}

void JsonText::place() {
  if (std::exchange(m_after_key, false) || m_open.empty()) return;
  if (!std::exchange(m_open.back().empty, false)) m_out += ',';
  new_line();
}

JsonText& JsonText::begin(char bracket) {
  place();
  m_out += bracket;
  m_open.emplace_back();
  return *this;
}

JsonText& JsonText::end(char bracket) {
  const bool empty = m_open.back().empty;
  m_open.pop_back();
  if (!empty) new_line();
  m_out += bracket;
  if (m_open.empty() && m_style == Style::document) m_out += '\n';
  return *this;
}

JsonText& JsonText::key(std::string_view key) {
  auto& last = m_open.back().last_key;
  if (!m_open.back().empty && last >= key) fail(ErrorCode::internal, "'{}' is written after '{}'", key, last);
  last = key;
  place();
  m_out += dumped(key, -1);
  m_out += m_style == Style::line ? ":" : ": ";
  m_after_key = true;
  return *this;
}

JsonText& JsonText::value(const Json& value) {
  place();
  if (m_style == Style::line) {
    m_out += dumped(value, -1);
    return *this;
  }
  // Line breaks within strings are escaped: each one here begins a line of the value.
  const auto text = dumped(value, 2);
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    m_out.append(text, begin, end - begin);
    if (text[end - 1] == '\n') m_out.append(2 * m_open.size(), ' ');
    begin = end;
  }
  if (m_open.empty()) m_out += '\n';
  return *this;
}

std::string JsonText::take() {
  return std::exchange(m_out, {});
}

}  // namespace liftlock
