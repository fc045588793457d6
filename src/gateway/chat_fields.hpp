// Checks of single members of a request from outside, each refusal naming the field by its path.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

/// The value must be an object whose members are all of `known`. @throws Error{bad_request} naming the one that is not,
/// and the nearest that is known. `where` is the path of the object: "" or "messages[0]"
void require_fields(const Json& object, std::initializer_list<std::string_view> known, std::string_view where);

}  // namespace liftlock
