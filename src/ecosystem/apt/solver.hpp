// Chooses the packages that must cross so that what was asked for can be installed: the closure over Pre-Depends and
// Depends, without breaking a Conflicts or Breaks, over one PackageIndex.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/apt/package_index.hpp"

namespace liftlock::apt {

/// What a person asked for: "name", "name:arch", "name=version", "name/suite" or a mix in that order.
struct Request {
  std::string name;
  std::string architecture;  ///< empty: the native one
  std::string version;       ///< empty: the highest
  std::string suite;         ///< empty: any
};
/// @throws Error{stack_invalid}
Request parse_request(std::string_view text);
std::string text(const Request& request);

enum class Recommends : std::uint8_t { no, yes };

struct SolveInput {
  const PackageIndex& index;
  std::string native;  ///< architecture of "all" packages' dependencies
  std::vector<Request> requests;
  std::vector<PackageId> present;  ///< the base: there already, replaced when a newer version is needed
  Recommends recommends = Recommends::no;
  std::vector<std::string> suite_names = {};  ///< by Package::source
};

struct Solution {
  std::vector<PackageId> chosen;                      ///< what is not in the base, in ascending order of name
  std::map<PackageId, std::vector<PackageId>> needs;  ///< which of the chosen fulfil a package's dependencies
  std::map<PackageId, std::string> reasons;           ///< "asked for", or who needs it
  std::vector<PackageId> asked;                       ///< one for each request, in order; may be of the base
  std::vector<std::string> notes;
};

/// Deterministic. Prefers what is chosen already, then the first alternative, the highest version, a real package
/// before a provider, a provider of higher Priority; goes back on a choice only when nothing else is left.
/// @throws Error{unresolvable}: names the relation that cannot be met and the chain of packages that leads to it
Solution solve(const SolveInput& input);

}  // namespace liftlock::apt
