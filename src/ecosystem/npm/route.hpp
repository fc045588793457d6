// High side: an npm registry of what is published, at /npm/. Format: docs/formats/npm.md.
#pragma once

#include "ecosystem/route.hpp"

namespace liftlock::npm {

std::unique_ptr<const Route> make_npm_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment);

}  // namespace liftlock::npm
