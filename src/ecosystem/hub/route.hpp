// High side: models as a Hugging Face Hub serves them, at /hf/: docs/formats/hub.md.
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::hub {

/// Models of the view as repositories (repository.hpp). Nothing of Xet is offered, so that clients load the files
/// themselves, each by one name. What the store lacks (withheld files) is not listed.
std::unique_ptr<const Route> make_hub_route(std::shared_ptr<const MirrorView> view,
                                            const RouteEnvironment& environment);

}  // namespace liftlock::hub
