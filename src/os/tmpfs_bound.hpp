// How many files a program may make in the tmpfs of its sandbox. bubblewrap bounds their bytes alone (--size), and an
// empty file takes about a kilobyte of the kernel's memory, which no limit of a process counts.
#pragma once

#include <sys/types.h>

#include <span>

#include "os/fd.hpp"

namespace liftlock {

struct TmpfsBound {
  UniqueFd folder;  ///< where it is mounted, seen from outside; O_PATH is enough
  unsigned files = 0;
};

/// For who made the sandbox's user namespace without being root: in that namespace, and only there, this user may
/// change its mounts. A sandbox that has ended is no error.
/// @param inside a process of the sandbox
/// @throws Error{sandbox_unavailable}
void bound_files(pid_t inside, std::span<const TmpfsBound> bounds);

}  // namespace liftlock
