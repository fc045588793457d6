// A folder that shows given files to this process and to what it becomes or starts, and to nobody else.
#pragma once

#include <string>
#include <vector>

#include "os/file.hpp"

namespace liftlock {

struct ShownFile {
  std::string name;  ///< below the folder; may have folders of its own
  int fd = -1;       ///< the very file: whatever stands at `path` by then must be it
  fs::path path;     ///< where it lies; empty: in memory alone, which cannot be bound, so that a link leads to `fd`
};

/// Moves the calling process, which must have one thread only, into a mount namespace of its own (and, where it is not
/// root's, a user namespace with the same user), in which `folder` holds these files, read-only, and nothing else. It
/// ends with the last process in it. Outside the folder stays as it is.
/// @throws Error{sandbox_unavailable} where the machine forbids such namespaces; Error{blob_corrupt} when another file
///         stands at a path
void show_privately(const fs::path& folder, const std::vector<ShownFile>& files);

}  // namespace liftlock
