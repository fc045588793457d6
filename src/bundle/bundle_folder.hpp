// Where bundles lie on a medium, and what lies in a folder that was taken for one.
#pragma once

#include <vector>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {

/// Is it a folder with a manifest/bundle.json, whatever that is worth? A link is none: what it leads to lies elsewhere.
bool is_bundle(const fs::path& folder);

/// The bundles in a folder, and in the folders in it; sorted, without the folder itself. What cannot be read holds
/// none; of a folder with very many entries not all are looked at.
std::vector<fs::path> bundles_below(const fs::path& folder);

/// Error{not_a_bundle} for a place without manifest/bundle.json, with what is there instead and what to do about it.
Error no_bundle(const fs::path& place);

}  // namespace liftlock
