// The name of this machine, as documents tell where they were made.
#pragma once

#include <string>

namespace liftlock {

/// gethostname(2), as a portable path component; "unknown" where there is none.
std::string host_name();

}  // namespace liftlock
