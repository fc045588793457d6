#include "base/plain_json.hpp"

#include <charconv>

namespace liftlock {

void PlainJson::skip_blanks() {
  std::size_t at = 0;
  while (at < m_rest.size() && (m_rest[at] == ' ' || m_rest[at] == '\n' || m_rest[at] == '\r' || m_rest[at] == '\t'))
    ++at;
  m_rest.remove_prefix(at);
}

bool PlainJson::take(char token) {
  skip_blanks();
  if (!m_rest.starts_with(token)) return false;
  m_rest.remove_prefix(1);
  return true;
}

std::optional<std::string_view> PlainJson::text() {
  skip_blanks();
  if (!m_rest.starts_with('"')) return std::nullopt;
  for (std::size_t at = 1; at < m_rest.size(); ++at) {
    const char c = m_rest[at];
    if (c == '"') {
      const auto out = m_rest.substr(1, at - 1);
      m_rest.remove_prefix(at + 1);
      return out;
    }
    if (c == '\\' || c < 0x20 || c > 0x7E) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> PlainJson::number() {
  skip_blanks();
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(m_rest.data(), m_rest.data() + m_rest.size(), value);
  const auto size = static_cast<std::size_t>(end - m_rest.data());
  if (error != std::errc() || (m_rest[0] == '0' && size > 1)) return std::nullopt;
  m_rest.remove_prefix(size);
  return value;
}

bool PlainJson::key(std::string_view name) {
  const auto before = m_rest;
  if (text() == name && take(':')) return true;
  m_rest = before;
  return false;
}

bool PlainJson::at_end() {
  skip_blanks();
  return m_rest.empty();
}

}  // namespace liftlock
