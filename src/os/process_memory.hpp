// What a process and its descendants hold: memory, and places in the kernel's table of processes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace liftlock {

struct ProcessUse {
  /// Bytes, files that they mapped, what was swapped out and their page tables included; pages that two of them share
  /// count twice.
  std::uint64_t memory = 0;
  std::size_t threads = 0;  ///< of all processes; one that has no more is one
};

/// Of `pid` and all that it started. Nothing when it is gone.
ProcessUse use_of(pid_t pid);

/// Empty when it is gone.
std::vector<pid_t> children_of(pid_t pid);

}  // namespace liftlock
