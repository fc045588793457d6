// High side: a chart repository of what is published, at /charts/. Format: docs/formats/helm.md.
#pragma once

#include "ecosystem/route.hpp"

namespace liftlock::helm {

std::unique_ptr<const Route> make_chart_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment);

}  // namespace liftlock::helm
