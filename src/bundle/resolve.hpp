// Low side: from the stack to the lock. What did not change in the stack stays as it was locked.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bundle/lock.hpp"
#include "bundle/stack.hpp"

namespace liftlock {

struct ResolveOptions {
  /// Entries to resolve again although their declaration is unchanged: "table.name", or "name" where one entry has it.
  std::vector<std::string> update;
  enum class Update : std::uint8_t { named, all };
  Update scope = Update::named;
};

struct ResolveResult {
  Lock lock;
  std::vector<std::string> kept;      ///< "table.name", sorted
  std::vector<std::string> resolved;  ///< went through their collector
  std::vector<std::string> removed;   ///< stood in the old lock and not in the stack
};

/// Entries whose declaration is that of the old lock are taken from it without asking anybody.
/// @param context its scratch folder gets one folder per entry
/// @throws what collectors throw, Error{usage} for an update of an entry that does not exist, Error{path_collision},
///         Error{unresolvable} for an entry that resolves to nothing
ResolveResult resolve_stack(const Stack& stack, const std::optional<Lock>& old, const ResolveOptions& options,
                            Collectors collectors, CollectContext& context);

/// Does the lock hold exactly the stack's entries, with equal declarations? Says what differs; empty when it does not.
std::string why_stale(const Stack& stack, const Lock& lock);

struct SavedLock {
  bool written = false;  ///< false: the file held these bytes already
  Digest digest;         ///< of the file
};
/// Atomically.
SavedLock save_lock(const fs::path& file, const Lock& lock);

}  // namespace liftlock
