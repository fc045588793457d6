// The site's rule for what comes in without a bundle.
#pragma once

#include "site/site.hpp"

namespace liftlock {

/// [policy] unsigned_imports of config.toml; false where it says nothing.
bool allows_unsigned_imports(const Site& site);

}  // namespace liftlock
