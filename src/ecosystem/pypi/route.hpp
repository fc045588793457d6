// The package index under /simple/: for pip 19 and later, uv, Poetry and PDM.
//
//   /simple/                       all projects
//   /simple/NAME/                  its files; names that are not normalised are redirected
//   /simple/NAME/FILENAME          the wheel or sdist
//   /simple/NAME/FILENAME.metadata its METADATA, byte for byte (PEP 658)
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock {

std::unique_ptr<const Route> make_pypi_route(std::shared_ptr<const MirrorView> view,
                                             const RouteEnvironment& environment);

}  // namespace liftlock
