// What a Dockerfile takes from a stack.
#pragma once

#include <optional>
#include <string>

#include "dockerfile/write.hpp"

namespace liftlock {

/// The packages of all [apt.NAME], the requirements file of the first [python.NAME] that has one, and the first
/// [image.NAME] with the digest of its lock, where there is one. nullopt on the high side, which has no stacks.
/// @throws Error{not_found, stack_invalid, unknown_key}
std::optional<dockerfile::Recipe> recipe_of_stack(const std::string& file);

}  // namespace liftlock
