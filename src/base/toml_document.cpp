#include "base/toml_document.hpp"

#include "base/encoding.hpp"
#include "base/toml_text.hpp"

namespace liftlock {

toml::table parse_toml(std::string_view text, ErrorCode code, std::string_view where) {
  if (const auto line = line_of_stray_character(text)) {
    fail(code, "{}line {}: a character past ASCII outside of quotes", where, *line);
  }
  if (const auto line = line_of_header_without_key(text)) {
    fail(code, "{}line {}: a table's header without a name", where, *line);
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    fail(code, "{}line {}: {}", where, error.source().begin.line, printable(error.description()));
  }
}

}  // namespace liftlock
