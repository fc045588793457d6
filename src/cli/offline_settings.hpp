// What commands that concern the mirror share.
#pragma once

#include <string>

#include "site/site.hpp"

namespace liftlock {

/// The address that clients on this machine reach an installation's mirror by: [serve] of config.toml. Defined on each
/// side; empty on the low one, which has none.
std::string mirror_url(const Site& site);
/// Without slashes at the end. @throws Error{usage} for what is no address, and for one with a user or password in it
std::string checked_mirror_url(std::string url);

}  // namespace liftlock
