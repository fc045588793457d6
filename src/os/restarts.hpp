// Keeps a program running: it is started again after it failed, each time by the same steps.
#pragma once

#include <chrono>
#include <functional>

#include "base/circuit_breaker.hpp"

namespace liftlock {

struct RestartTerms {
  /// Waits 250 ms after the first failure, and twice as long after each further one; a minute after eight in ten
  /// minutes.
  BreakerTerms breaker{.failures = 8, .window = std::chrono::minutes(10), .rest = std::chrono::minutes(1)};
  /// Told of each failure that is followed by another start.
  std::function<void(int status, std::chrono::milliseconds wait)> on_restart = {};
};

/// Runs `become` in a child process, which must end as another program: it calls `starts` right before execve(2). What
/// it throws before that leaves this function in the child, and ends the caller with the child's status: such a failure
/// is not repeated. SIGTERM, SIGINT and SIGHUP, unless they are ignored, go to the program, and then nothing is started
/// again; what ends the program then, or comes while none runs, ends the caller too. What a program leaves behind is
/// killed before the next start; when the caller dies, the program gets SIGTERM.
/// The caller must have one thread only, no children, and must not ignore SIGCHLD: then nobody hears of an end.
/// @return in the caller: the status to end with, 128 + signal for one that a signal ended
int keep_running(const std::function<void(const std::function<void()>& starts)>& become,
                 const RestartTerms& terms = {});

}  // namespace liftlock
