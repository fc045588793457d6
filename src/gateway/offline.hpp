// What clients ask for that needs the world outside, or would change models that only bundles change. It is answered at
// once, in words, instead of by a timeout.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.hpp"

namespace liftlock {

/// What to say of a path that other servers of these APIs have, and this one never will: Error{offline, immutable}.
std::optional<Error> not_on_this_side(std::string_view path);

/// A tool that the service itself would run on the internet, by its type: "web_search_20250305", "mcp".
/// @param path of the field, for the message. @throws Error{offline}
void refuse_online_tool(std::string_view type, std::string_view path);

}  // namespace liftlock
