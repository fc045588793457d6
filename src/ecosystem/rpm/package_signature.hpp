// Low side: does a package carry a signature by the entry's keys?
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ecosystem/rpm/repository.hpp"

namespace liftlock::rpm {

/// The package's own signature; nullopt where it may have none.
/// @param facts what its inspection says
/// @param notes gets what the operator should know of it
/// @throws Error{release_unsigned, tool_missing}
std::optional<Evidence> own_signature(const Artifact& package, const Json& facts, const Repository& repository,
                                      const StackEntry& entry, CollectContext& context, const Keyring& keyring,
                                      std::vector<std::string>& notes);

}  // namespace liftlock::rpm
