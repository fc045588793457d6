// Work on all cores, with the first error carried back to the caller.
#pragma once

#include <cstddef>
#include <functional>

namespace liftlock {

/// Cores that this process may use, at least 1.
unsigned usable_cores();

/// Calls work(0) … work(count-1), each once, from up to `threads` threads (0: usable_cores()). Items are started in
/// order. After the first exception no new item starts; it is rethrown here once all threads have ended.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& work, unsigned threads = 0);

}  // namespace liftlock
