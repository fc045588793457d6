// Low side: does a real mvn build the project from the stack's repository alone?
#pragma once

#include <vector>

#include "ecosystem/collector.hpp"

namespace liftlock::maven {

/// Builds a copy of the project in the scratch folder, with an empty local repository and the files of the artifacts,
/// as the mirror serves them, in the place of every repository: which plugins and providers a build takes shows only
/// while it runs. The project's own plugins and tests run, as they did when the repository was filled, without a
/// network. Folders `target`, those whose name begins with a dot (but .mvn), and the repository itself are not copied.
/// Nothing is tried, and `proven` is empty, without the key `project` or where there is no mvn.
/// @throws Error{not_found} where there is no such project; Error{sandbox_unavailable, tool_failed, limit_exceeded}
CheckResult check_build(const StackEntry& entry, const std::vector<Artifact>& artifacts, CollectContext& context);

}  // namespace liftlock::maven
