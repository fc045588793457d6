// What a program wants with files that outlive it.
#pragma once

#include <cstdint>

namespace liftlock {

enum class Access : std::uint8_t {
  read,   ///< nothing is written: works on a full disk, on a read-only mount, and for users who may only read
  write,  ///< made when missing, repaired when an earlier run was cut off
};

}  // namespace liftlock
