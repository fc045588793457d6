// High side: models as OCI artifacts, at /v2/modelpack/: docs/formats/modelpack.md.
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::modelpack {

/// Each model of which the store has every file, under its name in lower case, with its version and "latest" as tags.
std::unique_ptr<const Route> make_modelpack_route(std::shared_ptr<const MirrorView> view,
                                                  const RouteEnvironment& environment);

}  // namespace liftlock::modelpack
