// Whether a link leads to the server that it came from: by scheme, host and port, a default port written or not.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/address.hpp"

namespace liftlock {

/// Not the path.
bool same_origin(const HttpAddress& one, const HttpAddress& other);
/// "/path?query" of an absolute link to this server; nullopt for one that leads elsewhere, or is not absolute.
std::optional<std::string> target_at(const HttpAddress& server, std::string_view link);

}  // namespace liftlock
