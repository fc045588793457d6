// TOML from others, before it is given to toml++.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace liftlock {

/// The first line, from 1, with a byte past ASCII outside strings and comments, or right behind the
/// backslash of a string. That is no TOML 1.0 (but for a continued line), and toml++ up
/// to 3.4 takes some of it for unreachable (is_non_ascii_horizontal_whitespace), so whoever parses refuses it first.
std::optional<std::size_t> line_of_stray_character(std::string_view toml);

/// The first line, from 1, with a table's header that does not begin with a key: "[`". toml++ up to 3.4 asserts, or
/// assumes, that one is there (parse_table_header), so whoever parses refuses it first.
std::optional<std::size_t> line_of_header_without_key(std::string_view toml);

}  // namespace liftlock
