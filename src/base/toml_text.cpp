#include "base/toml_text.hpp"

#include <algorithm>

namespace liftlock {
namespace {

bool is_past_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

/// What opens a string at the front of the text; empty: nothing.
std::string_view opening_quotes(std::string_view text) {
  for (const std::string_view quotes : {"\"\"\"", "'''", "\"", "'"}) {
    if (text.starts_with(quotes)) return text.substr(0, quotes.size());
  }
  return {};
}

/// The string that starts at the front of the text, with its quotes; a single line's ends at the line's end at the
/// latest.
std::string_view string_at(std::string_view text, std::string_view quotes) {
  const bool escapes = quotes[0] == '"';
  for (auto at = quotes.size(); at < text.size(); ++at) {
    if (escapes && text[at] == '\\') {
      // toml++ asks of what follows, also behind a continued line, whether it is blank.
      const auto next = text.find_first_not_of(" \t\r\n", at + 1);
      if (next != std::string_view::npos && is_past_ascii(text[next])) return text.substr(0, next);
      ++at;
    } else if (text.substr(at).starts_with(quotes)) {
      return text.substr(0, at + quotes.size());
    } else if (text[at] == '\n' && quotes.size() == 1) {
      return text.substr(0, at);
    }
  }
  return text;
}

/// Does what follows the bracket of a header begin a key, or is it for toml++ to say what is wrong with it?
bool may_begin_key(std::string_view rest) {
  if (rest.starts_with('[')) rest.remove_prefix(1);
  const auto at = rest.find_first_not_of(" \t");
  if (at == std::string_view::npos) return true;
  const char c = rest[at];
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-\"'[]").find(c) != std::string_view::npos;
}

}  // namespace

std::optional<std::size_t> line_of_stray_character(std::string_view toml) {
  std::size_t line = 1;
  if (toml.starts_with("\xef\xbb\xbf")) toml.remove_prefix(3);
  char before = '\n';
  while (!toml.empty()) {
    std::size_t length = 1;
    // Elsewhere a quote opens nothing, and what follows it is no string.
    const bool may_open = std::string_view(" \t\r\n=[{,.").find(before) != std::string_view::npos;
    if (toml[0] == '#') {
      length = std::min(toml.find('\n'), toml.size());
    } else if (const auto quotes = opening_quotes(toml); may_open && !quotes.empty()) {
      length = string_at(toml, quotes).size();
    } else if (is_past_ascii(toml[0])) {
      return line;
    }
    const auto passed = toml.substr(0, length);
    line += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
    before = passed.back();
    toml.remove_prefix(length);
  }
  return std::nullopt;
}

std::optional<std::size_t> line_of_header_without_key(std::string_view toml) {
  std::size_t line = 1;
  std::size_t depth = 0;  // of the brackets of a value
  bool begins = true;     // nothing but blanks stood in this line
  if (toml.starts_with("\xef\xbb\xbf")) toml.remove_prefix(3);
  while (!toml.empty()) {
    const char c = toml[0];
    std::size_t length = 1;
    if (c == '#') {
      length = std::min(toml.find('\n'), toml.size());
    } else if (const auto quotes = opening_quotes(toml); !quotes.empty()) {
      length = string_at(toml, quotes).size();
    } else if (c == '[' && begins && depth == 0) {
      if (!may_begin_key(toml.substr(1))) return line;
      length = toml.starts_with("[[") ? 2 : 1;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
    const auto passed = toml.substr(0, length);
    line += static_cast<std::size_t>(std::count(passed.begin(), passed.end(), '\n'));
    begins = c == '\n' || (begins && (c == ' ' || c == '\t' || c == '\r'));
    toml.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace liftlock
