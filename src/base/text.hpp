// Text for people: suggestions, sizes, and the small string operations that the standard library lacks.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// The known word nearest to `word` by edit distance, if it is near enough to be a slip of the pen.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string_view> known);

/// "1.4 GiB", "12 B"
std::string format_size(std::uint64_t bytes);
/// "7.2B" of 7,241,732,096: of parameters, in thousands
std::string format_count(std::uint64_t count);
/// "4.7GB", "700MiB", "650000000": decimal and binary units. nullopt for anything else or past 2^63.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// Whole decimal number, no sign, no blanks.
std::optional<std::uint64_t> parse_uint(std::string_view text);

/// The parts look into `text`, which must outlive them; a loop over the parts of a temporary does not compile.
std::vector<std::string_view> split(std::string_view text, char separator);
template <std::same_as<std::string> Temporary>
std::vector<std::string_view> split(Temporary&& text, char separator) = delete;
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
/// '*' matches any run of bytes except '/', '**' any run, '?' one byte except '/'.
bool matches_glob(std::string_view pattern, std::string_view text);

}  // namespace liftlock
