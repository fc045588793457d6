// May requests be sent here? What /readyz answers. Format: docs/guides/watching.md.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "net/http.hpp"

namespace liftlock {

/// Anybody who reaches the port may read names and reasons: no path, name, version or error text belongs in them.
struct ReadinessCheck {
  std::string name;
  /// Nothing: all is well. May block briefly; what it throws counts as "the check failed".
  std::function<std::optional<std::string>()> why_not;
};

class Readiness {
 public:
  explicit Readiness(std::vector<ReadinessCheck> checks);

  /// Runs every check. One thread at a time; not on a thread that answers, so that who asks costs nothing.
  void look();
  /// From now on the answer is no: the server is about to stop.
  void drain() { m_draining = true; }
  /// What the last look found; 200, or 503 with at least one reason. Any thread.
  HttpResponse answer() const;

 private:
  struct Found {
    std::string name;
    std::optional<std::string> why;
  };
  const std::vector<ReadinessCheck> m_checks;
  std::atomic<bool> m_draining = false;
  mutable std::mutex m_mutex;
  std::vector<Found> m_found;
  std::chrono::steady_clock::time_point m_looked;
};

}  // namespace liftlock
