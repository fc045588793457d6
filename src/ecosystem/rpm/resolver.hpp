// Low side: which packages a request takes, as dnf's own solver says. dnf sees verified lists in a folder and nothing
// else: no network, no configuration of this machine, none of its packages.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::rpm {

/// The lists of one repository, unpacked.
struct RepositoryLists {
  std::string primary;
  std::string filelists;  ///< may be empty: then no package is found by a path that primary does not have
};

enum class Dependencies : bool { leave, take };

struct Choice {
  std::size_t repository = 0;  ///< index into what was given
  std::string location;
};

/// @param wanted as dnf reads them: NAME, NAME-VERSION, NAME.ARCH …
/// @param architecture rpm's name of it
/// @param scratch an empty folder
/// @throws Error{unresolvable, tool_missing, stack_invalid}
std::vector<Choice> resolve_with_dnf(const std::vector<RepositoryLists>& repositories,
                                     const std::vector<std::string>& wanted, std::string_view architecture,
                                     Dependencies dependencies, const std::filesystem::path& scratch);

}  // namespace liftlock::rpm
