// How package managers and model hubs are pointed at the mirror, or told that there is none, by variables and by files
// of a folder that lives as long as the command.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "os/file.hpp"

namespace liftlock::offline {

struct ClientSettings {
  std::map<std::string, std::string> set;
  std::vector<std::string> unset;
};

/// @param mirror its address, without a slash at the end; empty: there is none
/// @param folder for files that clients read; must exist
/// @param environment ours: a cargo home of the user stays in use for what was downloaded before
ClientSettings client_settings(const std::string& mirror, const fs::path& folder,
                               const std::map<std::string, std::string>& environment);

}  // namespace liftlock::offline
