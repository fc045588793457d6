// A Maven repository under /maven/, releases only: https://maven.apache.org/repository/layout.html
//
//   /maven/GROUP/ARTIFACT/VERSION/FILE                 with .sha1, .sha256 and .sha512 beside each
//   /maven/GROUP/ARTIFACT/maven-metadata.xml           versions, likewise
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::maven {

std::unique_ptr<const Route> make_maven_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment);

}  // namespace liftlock::maven
