// The channel of what came in without a bundle (`liftlock import`). No bundle may have its name.
#pragma once

#include <string_view>

namespace liftlock {

inline constexpr std::string_view k_import_channel = "import";

}  // namespace liftlock
