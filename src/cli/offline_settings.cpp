#include "cli/offline_settings.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "net/address.hpp"

namespace liftlock {

std::string checked_mirror_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  if (!HttpAddress::parse(url)) {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no address of a mirror", printable(url)),
                "write it as http://127.0.0.1:8480, without a user, a password or a query");
  }
  return url;
}

}  // namespace liftlock
