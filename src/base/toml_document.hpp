// TOML that a person or a stranger wrote. Include it in .cpp files only: toml++ is large.
#pragma once

#include <toml++/toml.h>

#include <string_view>

#include "base/error.hpp"

namespace liftlock {

/// The document; its nodes know their lines.
/// @param where stands before the line in an error: "config.toml " makes "config.toml line 3: …"
/// @throws Error with this code
toml::table parse_toml(std::string_view text, ErrorCode code, std::string_view where = {});

}  // namespace liftlock
