// The head of one HTTP/1.1 request: Boost.Beast's parser behind stricter rules than the RFC's minimum.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace liftlock {

/// More fields than this are refused.
inline constexpr std::size_t k_max_fields = 100;

/// Views into the bytes that were parsed.
struct RequestHead {
  std::string_view method;
  std::string_view target;  ///< not yet checked
  bool is_http_1_0 = false;
  bool keep_alive = false;
  bool expects_continue = false;
  bool is_chunked = false;
  std::optional<std::uint64_t> content_length;
  std::vector<std::pair<std::string_view, std::string_view>> fields;

  /// The first field of that name, in any case; empty when absent.
  std::string_view field(std::string_view name) const;
};

/// Parses a block that ends with the empty line. Refused besides what Beast refuses: bare CR or LF, folded lines,
/// HTTP/1.1 without Host, two Host or Authorization fields, a Host that is none, two Content-Length fields,
/// Content-Length together with Transfer-Encoding, Transfer-Encoding in HTTP/1.0 or other than "chunked" (RFC 9112 §6:
/// request smuggling).
/// @param out reused between requests of a connection
/// @throws Error{bad_request, headers_too_large}
void parse_request_head(std::string_view block, RequestHead& out);

}  // namespace liftlock
