// The ecosystems of the low side.
#pragma once

#include "bundle/stack.hpp"

namespace liftlock {

/// One per table of liftlock.toml, in the order of the help; adding one is one line in ecosystems_low.cpp.
Collectors collectors();

}  // namespace liftlock
