// How package managers and model hubs are pointed at the mirror, or told that there is none, by variables and by files
// of a folder that lives as long as the command.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "offline/mirror_lists.hpp"
#include "os/file.hpp"

namespace liftlock::offline {

struct ClientSettings {
  std::map<std::string, std::string> set;
  std::vector<std::string> unset;
  /// First in PATH: programs that run those of the machine under the same name, with a setting that no variable has.
  /// Empty: there are none.
  fs::path programs;
};

/// Of the lists that a mirror has, those whose clients are on this machine.
WantedLists wanted_lists();

/// The variables that lead clients to the mirror without a file of ours, and the switches: for containers, whose files
/// are their own. (apt, dnf, helm and Maven cannot be led so, nor cargo, which is told
/// to stay offline.)
std::map<std::string, std::string> mirror_environment(const std::string& mirror);

/// @param mirror its address, without a slash at the end; empty: there is none
/// @param folder for files that clients read; must exist. For root it becomes one that others may pass: apt looks up
///        keys as a user of its own
/// @param environment ours: a cargo home of the user stays in use for what was downloaded before
/// @param lists what the mirror says it has; clients whose list is absent are left as they are
/// @param chart_repositories names that the user has for repositories of charts; to helm each is the mirror then
ClientSettings client_settings(const std::string& mirror, const fs::path& folder,
                               const std::map<std::string, std::string>& environment, const MirrorLists& lists,
                               const std::vector<std::string>& chart_repositories = {});

}  // namespace liftlock::offline
