// Low side: what to say of a package that no repository has.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "ecosystem/rpm/repository_metadata.hpp"

namespace liftlock::rpm {

struct SearchedRepository {
  std::string url;
  const PackageList* packages = nullptr;
};

/// Error{unresolvable} that names the repositories, and in its hint packages that may be meant: the same one in other
/// versions or architectures, else names that are near.
/// @param wanted as the stack has it: NAME, NAME-VERSION, NAME.ARCH …
Error unknown_package(std::string_view wanted, std::string_view architecture,
                      const std::vector<SearchedRepository>& repositories);

}  // namespace liftlock::rpm
