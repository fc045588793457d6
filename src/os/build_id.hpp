// Which build of the program this is.
#pragma once

#include <string>

namespace liftlock {

/// The GNU build id of the running executable in hex: another one for any other code. Empty where the linker made none.
std::string build_id();

}  // namespace liftlock
