// What a package says of itself, read out of it. To be called in a cell (os/cell.hpp).
#pragma once

#include <string_view>

#include "base/json.hpp"

namespace liftlock {

/// @param kind "wheel": {"name", "version", "license", "requires_python"}; "sdist": the same; "deb": {"name",
/// "version",
///        "architecture", "stanza", "depends"}
/// @throws Error{package_malformed, …}
Json describe_package(std::string_view kind, int file, std::string_view filename);

}  // namespace liftlock
