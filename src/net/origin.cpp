#include "net/origin.hpp"

#include "base/text.hpp"

namespace liftlock {
namespace {

std::string plain(const std::string& host) {
  const auto literal = IpAddress::parse(host);
  return literal ? literal->text() : to_lower(host);
}

}  // namespace

bool same_origin(const HttpAddress& one, const HttpAddress& other) {
  return one.tls == other.tls && one.port == other.port && plain(one.host) == plain(other.host);
}

std::optional<std::string> target_at(const HttpAddress& server, std::string_view link) {
  const auto scheme = link.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const auto slash = link.find('/', scheme + 3);
  if (slash == std::string_view::npos) return std::nullopt;
  const auto other = HttpAddress::parse(link.substr(0, slash));
  if (!other || !same_origin(server, *other)) return std::nullopt;
  return std::string(link.substr(slash));
}

}  // namespace liftlock
