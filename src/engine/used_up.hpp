// What an engine used up of the bounds of its sandbox. Each attempt at more is refused to it, which nobody outside
// sees; but that nothing is left can be seen.
#pragma once

#include <optional>
#include <string>

#include "os/process_memory.hpp"
#include "os/sandbox.hpp"

namespace liftlock::engine {

/// Nearly all processes and threads that it may have, or a folder of its own: no server of models does that. In words,
/// with "it"; nullopt: nothing of that.
/// @param use of the sandbox's processes
std::optional<std::string> used_up(const Sandbox& sandbox, const ProcessUse& use);

}  // namespace liftlock::engine
