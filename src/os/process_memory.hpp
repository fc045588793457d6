// What a process and its descendants hold in memory.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace liftlock {

/// Bytes of memory of `pid` and all that it started, files that they mapped, what was swapped out and their page tables
/// included; pages that two of them share count twice. 0 when it is gone.
std::uint64_t resident_memory(pid_t pid);

}  // namespace liftlock
