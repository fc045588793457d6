// A module proxy under /go/: https://go.dev/ref/mod#goproxy-protocol
//
//   /go/MODULE/@v/list                       versions, without pseudo-versions
//   /go/MODULE/@v/VERSION.{info,mod,zip}     capitals as '!' and the small letter
//   /go/MODULE/@latest                       the .info of the newest
//   /go/sumdb/…                              403: no checksum database can be had; go.sum proves what is here
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::go {

std::unique_ptr<const Route> make_go_route(std::shared_ptr<const MirrorView> view, const RouteEnvironment& environment);

}  // namespace liftlock::go
