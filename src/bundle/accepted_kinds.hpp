// What a site lets in by kind: [policy] accept_kinds of config.toml.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

/// @param accepted kinds; empty: all
/// @throws Error{profile_refused} with the first of those that are of another kind
void require_accepted_kinds(const std::vector<std::string>& accepted, const std::vector<Artifact>& artifacts);
/// The same for what is no artifact yet, and is called so. @throws Error{profile_refused}
void require_accepted_kind(const std::vector<std::string>& accepted, const std::string& kind, std::string_view what);

}  // namespace liftlock
