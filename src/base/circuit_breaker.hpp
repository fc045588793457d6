// Leaves alone for a while what failed again and again.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

namespace liftlock {

class CircuitBreaker {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t k_failures = 3;
  static constexpr std::chrono::seconds k_window{60};
  static constexpr std::chrono::seconds k_rest{30};

  void failed(Clock::time_point when) {
    m_failures.push_back(when);
    if (m_failures.size() > k_failures) m_failures.pop_front();
  }
  /// Three failures within a minute open it for 30 s; after that one more failure within the minute opens it again.
  std::optional<Clock::time_point> open_until(Clock::time_point when) const {
    if (m_failures.size() < k_failures || m_failures.back() - m_failures.front() > k_window) return std::nullopt;
    const auto until = m_failures.back() + k_rest;
    return until > when ? std::optional(until) : std::nullopt;
  }
  /// How long to wait before the next start: 250 ms, and twice that for each failure of the last minute after the
  /// first.
  std::chrono::milliseconds backoff(Clock::time_point when) const {
    std::chrono::milliseconds wait{125};
    for (const auto failure : m_failures) wait *= when - failure <= k_window ? 2 : 1;
    return wait;
  }

 private:
  std::deque<Clock::time_point> m_failures;
};

}  // namespace liftlock
