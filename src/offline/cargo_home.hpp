// A cargo home in which every registry is the mirror. Its configuration is the only way: sources have no variables.
// Source: The Cargo Book, "Configuration" and "Source Replacement".
#pragma once

#include <map>
#include <string>

#include "os/file.hpp"

namespace liftlock::offline {

/// Of the user's home, what was downloaded before stays in use, and what config.toml says of other things than sources.
/// Registries of the user, of the project, of the folders above it and of the environment are replaced by the mirror;
/// those in files (file:) are not.
/// @param mirror without a slash at the end
/// @param home is made
/// @param users the user's, which need not exist
/// @param project absolute: the folder that cargo is called in
void make_cargo_home(const std::string& mirror, const fs::path& home, const fs::path& users,
                     const std::map<std::string, std::string>& environment, const fs::path& project);

}  // namespace liftlock::offline
