// The ecosystems that the mirror serves, and those that go into repositories of the site.
#pragma once

#include <vector>

#include "ecosystem/push.hpp"
#include "ecosystem/route.hpp"

namespace liftlock {

/// One line per ecosystem; see ecosystems_high.cpp.
std::vector<MakeRoute> mirror_routes();
/// One line per kind of repository, and of artifact in it.
std::vector<PushKind> push_kinds();

}  // namespace liftlock
