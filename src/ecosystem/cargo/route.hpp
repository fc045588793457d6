// A sparse registry under /cargo/, for cargo 1.68 and later, by source replacement (docs/formats/cargo.md).
//
//   /cargo/config.json                     where downloads are
//   /cargo/ab/cd/abcd…                     one line per version of a crate, made from its Cargo.toml
//   /cargo/crates/NAME/VERSION/download    the .crate
#pragma once

#include <memory>

#include "ecosystem/route.hpp"

namespace liftlock::cargo {

std::unique_ptr<const Route> make_cargo_route(std::shared_ptr<const MirrorView> view,
                                              const RouteEnvironment& environment);

}  // namespace liftlock::cargo
