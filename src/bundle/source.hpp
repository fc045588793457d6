// Where bundles may come from: the folders that config.toml names ([source.NAME]), and what it demands of them.
#pragma once

#include <string>

#include "os/file.hpp"
#include "site/site.hpp"

namespace liftlock {

/// The bundle folder that `source` names, with the source's conditions checked.
/// @param source NAME, NAME/SUBFOLDER, or a path inside a configured source
/// @throws Error{source_unknown, source_writable, not_found}
fs::path resolve_source(const SiteConfig& config, const std::string& source);

}  // namespace liftlock
