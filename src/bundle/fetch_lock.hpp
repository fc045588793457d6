// Low side: gets what the lock names into the store, has it inspected, and registers it as the set "stack/NAME".
#pragma once

#include <cstdint>

#include "bundle/inspect_all.hpp"
#include "bundle/lock.hpp"
#include "bundle/stack.hpp"
#include "store/catalog.hpp"

namespace liftlock {

struct FetchLockResult {
  std::size_t artifacts = 0;
  std::size_t files = 0;    ///< distinct contents of the lock
  std::uint64_t bytes = 0;  ///< of them
  std::size_t fetched = 0;  ///< those that the store lacked
  std::uint64_t fetched_bytes = 0;
  std::size_t inspected = 0;  ///< artifacts; 0 when exactly this content passed before
};

/// One queue over all entries. Nothing is asked of anybody when the store has it all; killed, a second run goes on.
/// Until all is there and inspected, what arrived is pinned as "fetch/NAME", so that gc leaves it.
/// @throws Error{lock_stale} when the lock is not that of the stack, what Downloader::fetch throws, Error{not_fetched}
///         when a file is still missing afterwards, and the code of the first finding of an inspector
FetchLockResult fetch_lock(const Stack& stack, const Lock& lock, Collectors collectors, CollectContext& context,
                           Catalog& catalog, const Inspect& inspect);

/// The name of the catalog's set.
std::string set_of_stack(std::string_view stack);

}  // namespace liftlock
