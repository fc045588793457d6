// JSON of others where a member of another type counts as absent: facts of artifacts, package.json, Kitfiles. Where it
// is an error instead: string_member() and its like in base/json.hpp.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

/// The string of a member; empty when there is none, also where `object` is no object.
std::string text_in(const Json& object, std::string_view key);

}  // namespace liftlock
