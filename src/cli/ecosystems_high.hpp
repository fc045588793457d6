// The ecosystems that the mirror serves.
#pragma once

#include <vector>

#include "ecosystem/route.hpp"

namespace liftlock {

/// One line per ecosystem; see ecosystems_high.cpp.
std::vector<MakeRoute> mirror_routes();

}  // namespace liftlock
