// Low side: the files of Git LFS of a repository, as further files of its artifact. Format: docs/formats/git.md
#pragma once

#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/git/git_program.hpp"
#include "ecosystem/git/repository_copy.hpp"

namespace liftlock::git {

/// Adds the files that the pointers of the copy stand for, and what the facts say of them. None is downloaded: of each
/// the upstream says whether it has it. @throws Error{package_malformed, unresolvable, http_status, network, …}
void take_lfs_files(Artifact& artifact, const RepositoryCopy& copy, const GitProgram& git, const Wanted& wanted,
                    const StackEntry& entry, CollectContext& context);

/// Does what the lock had say of Git LFS what the entry wants, of the server that it wants, and is all of it at hand:
/// in the store, or as it was locked where a local repository has it? What is not is asked for again.
/// @throws Error{stack_invalid, io_error}
bool has_lfs_as_wanted(const Artifact& before, const StackEntry& entry, const CollectContext& context);

/// For the lock: what crosses, what is left out, what the upstream does not have, by name and size.
void add_lfs_notes(std::vector<std::string>& notes, const Artifact& artifact, const StackEntry& entry);

/// Jobs for those that the store lacks. @throws Error{lock_invalid}
std::vector<FetchJob> plan_lfs_files(const Artifact& artifact, const StackEntry& entry, const CollectContext& context);

}  // namespace liftlock::git
