// multipart/form-data (RFC 7578, with the delimiters of RFC 2046 section 5.1.1), as far as HTTP clients send it: named
// parts, no nesting, no transfer encodings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

struct FormPart {
  std::string name;
  std::string filename;   ///< as the client wrote it: a word, never a path to open; empty for plain fields
  std::string_view body;  ///< within the text that was parsed
};

inline constexpr std::size_t k_max_form_parts = 32;
inline constexpr std::size_t k_max_part_head = 4096;

/// @param content_type of the request, with its boundary
/// @throws Error{bad_request} for another type, for what is cut off or has anything behind its end, for parts without a
///         name, for more than k_max_form_parts
std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body);

}  // namespace liftlock
