// High side: the pull half of the OCI distribution API, at /v2/.
// Protocol: opencontainers/distribution-spec 1.1, with Docker's Docker-Content-Digest and containerd's ?ns=.
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::oci {

/// Images of the view under their names and under HOST/NAME, as a mirror of HOST is asked; a port stands after '_'
/// there
/// ("registry.example_5000/team/app"). Manifests keep their bytes, so digests and signatures hold; an image that was
/// left out of an index answers 404. A blob is answered only in a repository that holds it. Where two channels carry
/// one tag, the newest has it. What the store lacks (withheld files) is absent here too.
std::unique_ptr<const Route> make_image_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment);

}  // namespace liftlock::oci
