// High side: charts as OCI artifacts, for `helm pull oci://MIRROR/charts/NAME --version VERSION`. The chart repository
// is route.hpp's.
#pragma once

#include "ecosystem/route.hpp"

namespace liftlock::helm {

std::unique_ptr<const Route> make_chart_registry_route(std::shared_ptr<const MirrorView> view,
                                                       const RouteEnvironment& environment);

}  // namespace liftlock::helm
