// Low side: does a real `npm ci` install the project from the stack's tarballs alone, where there is no network?
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "ecosystem/collector.hpp"
#include "ecosystem/npm/package_lock.hpp"

namespace liftlock::npm {

/// Installs a copy of what npm reads of the project (package.json, the lock, those of its workspaces, .npmrc without
/// credentials) in the scratch folder, with the tarballs of the artifacts in place of what the lock's addresses lead
/// to; once for each platform of the entry. Install scripts do not run; what the entry omits is left out.
/// Nothing is tried, and `proven` is empty, where there is no npm, no package.json beside the lock, or a lock that
/// leads out of its folder. @throws Error{tool_missing, sandbox_unavailable, tool_failed}
/// @param project the folder of the lock
CheckResult check_install(const StackEntry& entry, const std::filesystem::path& project,
                          const std::vector<Artifact>& artifacts, const std::vector<NodePlatform>& platforms,
                          CollectContext& context);

/// Optional packages that a package of the lock wants and the lock does not have, though they are for the platform by
/// their names ("@rollup/rollup-linux-x64-gnu"): npm then installs without them and without a word, and the program
/// does not start. A lock made where another machine's node_modules lay is like that (github.com/npm/cli issue 4828).
/// @param packages the member of that name of the lock
std::vector<Missing> optional_packages_left_out(const Json& packages, const NodePlatform& platform);

}  // namespace liftlock::npm
