// Names of repositories as the mirror has them, and of git's refs.
#pragma once

#include <string_view>

namespace liftlock::git {

/// 1 to 100 of letters, digits and "._-", beginning with a letter or a digit and not ending in ".git" or ".bundle": one
/// component of the paths /git/NAME and packages/git/NAME.bundle.
bool is_repository_name(std::string_view name);

/// A full name, "refs/…", by the rules of git-check-ref-format(1); printable ASCII only, at most 500 bytes.
bool is_ref_name(std::string_view name);

/// Where a commit that the stack names by its id stands: "refs/commits/ID". A clone does not take it, a fetch of the id
/// does.
inline constexpr std::string_view k_commit_refs = "refs/commits/";

}  // namespace liftlock::git
