// All names of one thing that no bundle can carry, told at once.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace liftlock {

/// Throws where a path is no RelPath, in one error for all of them, with the first 20 and why.
/// @param where names the thing that has the paths: "[model.tiny]"
/// @param hint what to do about it
/// @throws Error{path_unsafe}
void require_portable(std::span<const std::string> paths, std::string_view where, std::string_view hint);

}  // namespace liftlock
