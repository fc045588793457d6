// Low side: does a real `cargo fetch --locked --offline` find everything of the workspace in the stack's crates alone?
#pragma once

#include <filesystem>
#include <vector>

#include "ecosystem/collector.hpp"

namespace liftlock::cargo {

/// The crates become a local registry (doc.rust-lang.org/cargo/reference/source-replacement.html) with the index lines
/// that the mirror will give, and stand for every registry that the lock names; a vendored tree is unpacked as the
/// directory source that it is. cargo resolves, compares checksums and unpacks; nothing is built and no build script
/// runs, unless the entry says `build`: then `cargo build` follows, with a target folder of its own. The project is
/// read where it is, with its own configuration and the user's.
/// Nothing is tried, and `proven` is empty, where there is no cargo, no Cargo.toml beside the lock, or a configuration
/// that cannot be overridden; where a crate comes from git, `proven` says that cargo was not run. @throws
/// Error{tool_missing, sandbox_unavailable, tool_failed}
/// @param lock_file absolute
CheckResult check_fetch(const StackEntry& entry, const std::filesystem::path& lock_file,
                        const std::vector<Artifact>& artifacts, CollectContext& context);

}  // namespace liftlock::cargo
