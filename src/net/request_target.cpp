#include "net/request_target.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

bool is_plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && to_lower(text.substr(0, prefix.size())) == prefix;
}

/// Drops the scheme and the authority of an absolute-form; false when there is no usable authority.
bool drop_authority(std::string_view& target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_ignoring_case(target, scheme)) continue;
    target.remove_prefix(scheme.size());
    const auto end = std::min(target.find_first_of("/?"), target.size());
    if (end == 0 || !is_valid_host(target.substr(0, end))) return false;
    target.remove_prefix(end);
    return true;
  }
  return false;
}

/// Appends the components of a decoded path to `out`; false for an unsafe one.
bool append_components(std::string_view decoded, std::string& out) {
  for (const char c : decoded) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  std::size_t begin = 1;
  for (;;) {
    const auto end = std::min(decoded.find('/', begin), decoded.size());
    const auto component = decoded.substr(begin, end - begin);
    const bool last = end == decoded.size();
    if (component == "..") return false;
    if (component.empty() && !last) return false;
    if (component == "." || component.empty()) {
      if (last) out += '/';
    } else {
      out += '/';
      out += component;
    }
    if (last) return true;
    begin = end + 1;
  }
}

}  // namespace

bool is_valid_host(std::string_view host) {
  if (host.size() > 261) return false;
  if (!host.empty() && host[0] == '[') {
    const auto close = host.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const auto address = host.substr(1, close - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos) return false;
    host.remove_prefix(close + 1);
    if (host.empty()) return true;
    if (host[0] != ':') return false;
    host.remove_prefix(1);
    return host.size() <= 5 && host.find_first_not_of("0123456789") == std::string_view::npos;
  }
  const auto colon = std::min(host.find(':'), host.size());
  const auto name_ok = std::all_of(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
  });
  if (!name_ok) return false;
  const auto port = host.substr(std::min(colon + 1, host.size()));
  return port.size() <= 5 && port.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<RequestTarget> parse_request_target(std::string_view target) {
  if (target.empty() || target.size() > k_max_target || !is_plain_ascii(target)) return std::nullopt;
  if (target.find('#') != std::string_view::npos) return std::nullopt;
  if (target[0] != '/' && !drop_authority(target)) return std::nullopt;

  RequestTarget out;
  const auto question = target.find('?');
  if (question != std::string_view::npos) out.query = target.substr(question + 1);
  out.raw_path = target.substr(0, question);
  if (out.raw_path.empty()) out.raw_path = "/";

  if (out.raw_path.find('%') == std::string::npos) {
    if (!append_components(out.raw_path, out.path)) return std::nullopt;
  } else {
    const auto decoded = decode_percent(out.raw_path);
    if (!decoded || !append_components(*decoded, out.path)) return std::nullopt;
  }
  return out;
}

std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  for (const auto pair : split(query, '&')) {
    const auto equals = std::min(pair.find('='), pair.size());
    const auto key = decode_percent(pair.substr(0, equals));
    if (!key || *key != name) continue;
    std::string value(pair.substr(std::min(equals + 1, pair.size())));
    std::replace(value.begin(), value.end(), '+', ' ');
    return decode_percent(value);
  }
  return std::nullopt;
}

}  // namespace liftlock
