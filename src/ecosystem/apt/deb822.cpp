#include "ecosystem/apt/deb822.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::apt {
namespace {

constexpr std::size_t k_max_field_name = 128;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_field_name(std::string_view name) {
  if (name.empty() || name.size() > k_max_field_name || name.front() == '#' || name.front() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f && c != ':'; });
}

bool is_blank(std::string_view line) {
  return std::all_of(line.begin(), line.end(), [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
}

}  // namespace

bool same_field(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> Paragraph::field(std::string_view name) const {
  for (const auto& [key, value] : m_fields) {
    if (same_field(key, name)) return value;
  }
  return std::nullopt;
}

std::string_view Paragraph::field_or(std::string_view name, std::string_view fallback) const {
  return field(name).value_or(fallback);
}

ParagraphReader::ParagraphReader(std::string_view text, std::string where, Comments comments, Deb822Limits limits)
    : m_rest(text), m_where(std::move(where)), m_comments(comments), m_limits(limits) {}

void ParagraphReader::add_line(Paragraph& out, std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    if (out.m_fields.empty()) {
      fail(ErrorCode::schema_violation, "{}: line {} continues a field, but there is none", m_where, m_line);
    }
    auto& value = out.m_fields.back().second;
    value = {value.data(), static_cast<std::size_t>(line.data() + line.size() - value.data())};
    return;
  }
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_field_name(name)) {
    fail(ErrorCode::schema_violation, "{}: line {} is no field", m_where, m_line);
  }
  if (out.field(name))
    fail(ErrorCode::schema_violation, "{}: line {}: the field {} stands twice", m_where, m_line, name);
  if (out.m_fields.size() >= m_limits.max_fields) {
    fail(ErrorCode::limit_exceeded, "{}: line {}: more than {} fields", m_where, m_line, m_limits.max_fields);
  }
  out.m_fields.emplace_back(name, line.substr(colon + 1));
}

bool ParagraphReader::next(Paragraph& out) {
  out.m_fields.clear();
  out.m_text = {};
  const char* begin = nullptr;
  const char* end = nullptr;
  while (!m_rest.empty()) {
    const auto newline = m_rest.find('\n');
    const auto line = m_rest.substr(0, newline);
    m_rest.remove_prefix(newline == std::string_view::npos ? m_rest.size() : newline + 1);
    ++m_line;
    if (is_blank(line)) {
      if (begin != nullptr) break;
      continue;
    }
    if (line.front() == '#') {
      if (m_comments == Comments::skip) continue;
      fail(ErrorCode::schema_violation, "{}: line {} is a comment, which this document must not have", m_where, m_line);
    }
    if (line.find('\0') != std::string_view::npos) {
      fail(ErrorCode::schema_violation, "{}: line {} holds a NUL", m_where, m_line);
    }
    if (begin == nullptr) begin = line.data();
    end = line.data() + line.size();
    if (static_cast<std::size_t>(end - begin) > m_limits.max_paragraph) {
      fail(ErrorCode::limit_exceeded, "{}: line {}: the paragraph is longer than {} bytes", m_where, m_line,
           m_limits.max_paragraph);
    }
    add_line(out, line);
  }
  if (begin == nullptr) return false;
  for (auto& [name, value] : out.m_fields) value = trim(value);
  out.m_text = {begin, static_cast<std::size_t>(end - begin)};
  return true;
}

std::vector<std::string_view> words(std::string_view value) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while (at < value.size()) {
    const auto begin = value.find_first_not_of(" \t\r\n", at);
    if (begin == std::string_view::npos) break;
    const auto end = std::min(value.find_first_of(" \t\r\n", begin), value.size());
    out.push_back(value.substr(begin, end - begin));
    at = end;
  }
  return out;
}

}  // namespace liftlock::apt
