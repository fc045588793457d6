// Hex, base64 and what makes foreign text safe to show.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

using Bytes = std::vector<std::uint8_t>;

inline std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hex.
std::string encode_hex(std::span<const std::uint8_t> bytes);
/// Lower-case hex only; nullopt for anything else.
std::optional<Bytes> decode_hex(std::string_view hex);

/// RFC 4648 base64 with padding.
std::string encode_base64(std::span<const std::uint8_t> bytes);
/// RFC 4648 base64 with padding, no white space, no trailing bits; nullopt for anything else.
std::optional<Bytes> decode_base64(std::string_view text);

/// RFC 4648 base64url without padding.
std::string encode_base64url(std::span<const std::uint8_t> bytes);

/// Is it UTF-8 as RFC 3629 says: no overlong forms, no surrogates, nothing past U+10FFFF?
bool is_utf8(std::string_view text);

/// For terminals and logs: control bytes and invalid UTF-8 become \xNN, so that foreign text cannot move the cursor.
std::string printable(std::string_view text);

/// The same for text of several lines: '\n' stays.
std::string printable_lines(std::string_view text);

/// For HTML text and quoted attributes: & < > " ' become references.
std::string escape_html(std::string_view text);

/// Percent-decoding of RFC 3986; nullopt for a broken escape.
std::optional<std::string> decode_percent(std::string_view text);
/// Escapes all but unreserved characters and '/'.
std::string encode_percent_path(std::string_view text);

}  // namespace liftlock
