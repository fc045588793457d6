// Low side: which packages a request takes, as dnf's own solver says. dnf sees verified lists in a folder and nothing
// else: no network, no configuration of this machine, none of its packages.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/rpm/repository.hpp"

namespace liftlock::rpm {

enum class Dependencies : bool { leave, take };

struct Choice {
  std::size_t repository = 0;  ///< index into what was given
  std::string location;
};

/// @param wanted as dnf reads them: NAME, NAME-VERSION, NAME.ARCH …
/// @param architecture rpm's name of it
/// @param scratch an empty folder
/// @throws Error{unresolvable, tool_missing, stack_invalid}
std::vector<Choice> resolve_with_dnf(const std::vector<Repository>& repositories,
                                     const std::vector<std::string>& wanted, std::string_view architecture,
                                     Dependencies dependencies, const std::filesystem::path& scratch);

}  // namespace liftlock::rpm
