#include "base/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"

namespace liftlock {
namespace {

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E && c != '"' && c != '\\'; });
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

void JsonText::quote(std::string_view text) {
  if (!is_plain(text)) {
    m_out += dump_json_line(text);
    return;
  }
  m_out += '"';
  m_out += text;
  m_out += '"';
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
  return end_value();
}

JsonText& JsonText::key(std::string_view key) {
  auto& last = m_open.back().last_key;
  if (!m_open.back().empty && last >= key) fail(ErrorCode::internal, "'{}' is written after '{}'", key, last);
  last = key;
  place();
  quote(key);
  m_out += m_style == Style::line ? ":" : ": ";
  m_after_key = true;
  return *this;
}

JsonText& JsonText::end_value() {
  if (m_open.empty() && m_style == Style::document) m_out += '\n';
  return *this;
}

JsonText& JsonText::text(std::string_view text) {
  place();
  quote(text);
  return end_value();
}

JsonText& JsonText::number(std::uint64_t number) {
  place();
  m_out += fmt::format_int(number).c_str();
  return end_value();
}

JsonText& JsonText::value(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      begin_object();
      for (const auto& [name, member] : value.get_ref<const Json::object_t&>()) key(name).value(member);
      return end_object();
    case Json::value_t::array:
      begin_array();
      for (const auto& element : value) this->value(element);
      return end_array();
    case Json::value_t::string:
      return text(value.get_ref<const std::string&>());
    case Json::value_t::number_unsigned:
      return number(value.get<std::uint64_t>());
    default:
      place();
      m_out += dump_json_line(value);
      return end_value();
  }
}

std::string JsonText::take() {
  return std::exchange(m_out, {});
}

}  // namespace liftlock
