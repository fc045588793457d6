// For tests: what other threads bring about.
#pragma once

#include <chrono>
#include <thread>

namespace liftlock {

/// Waits up to a minute until it is so: the machine may be busy with others.
template <typename F>
bool soon(F&& is_so) {
  for (int i = 0; i < 6000; ++i) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace liftlock
