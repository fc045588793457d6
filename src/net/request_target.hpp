// The request-target of HTTP/1.1 (RFC 9112 §3.2), from foreign bytes to a path that is safe to dispatch on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace liftlock {

/// A longer target is refused (414 at the server).
inline constexpr std::size_t k_max_target = 8192;

struct RequestTarget {
  /// Percent-decoded, starts with '/', no "..", ".", empty, or control-byte-holding component; a '/' at the end stays.
  /// "." components are dropped (apt asks for "/./InRelease" of flat repositories). A decoded "%2F" is a separator
  /// here.
  std::string path;
  std::string raw_path;  ///< as sent, without the query
  std::string query;     ///< as sent, without '?'
};

/// Accepts origin-form ("/a/b?q") and absolute-form ("http://host/a?q", of which the authority is not kept).
/// nullopt for everything else, for bytes outside printable ASCII, fragments, broken escapes and unsafe components.
std::optional<RequestTarget> parse_request_target(std::string_view target);

/// The decoded value of a parameter in "a=b&c=d" ('+' is a space); nullopt when absent or broken.
std::optional<std::string> query_parameter(std::string_view query, std::string_view name);

/// The value of a Host header (RFC 9110 §7.2): a name, IPv4 or [IPv6] with an optional port; may be empty.
bool is_valid_host(std::string_view host);

}  // namespace liftlock
