// TOML from others, before it is given to toml++.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace liftlock {

/// The first line, from 1, with a character from U+F8A0 to U+FEFE, comments of their own line left out. Outside quotes
/// such a character is no TOML, and toml++ up to 3.4 takes it for unreachable (is_non_ascii_horizontal_whitespace), so
/// whoever parses refuses it first.
std::optional<std::size_t> line_toml_mishandles(std::string_view text);

}  // namespace liftlock
