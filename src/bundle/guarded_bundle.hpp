// What a guard gets to see of a bundle that lies in a folder.
#pragma once

#include <vector>

#include "guard/guard.hpp"
#include "os/file.hpp"

namespace liftlock {

/// The files of a bundle as it lies in its folder now, signatures included. Digests are those of its lists; of what
/// they do not name they are computed. Sorted by path. @throws as BundleReader
std::vector<GuardedFile> files_of_bundle(const fs::path& folder);

}  // namespace liftlock
