// Low side: does a real `go list -deps ./...` find every package of the module in the stack's modules alone?
#pragma once

#include <filesystem>
#include <vector>

#include "ecosystem/collector.hpp"

namespace liftlock::go {

/// The modules become a proxy of files (go.dev/ref/mod, GOPROXY=file://), and go loads what the packages below the
/// go.mod import, tests included, for the platform of the stack; where there are none, the graph of modules. go.mod
/// and go.sum are only read (-mod=readonly), nothing is compiled unless the entry says `build`, and the toolchain is
/// the one that is installed: a go.mod that wants a newer one is told. Nothing is tried, and `proven` is empty, where
/// there is no go. @throws Error{sandbox_unavailable, tool_failed}
/// @param go_mod absolute
CheckResult check_list(const StackEntry& entry, const std::filesystem::path& go_mod,
                       const std::vector<Artifact>& artifacts, CollectContext& context);

}  // namespace liftlock::go
