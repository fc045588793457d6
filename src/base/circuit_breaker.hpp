// Leaves alone for a while what failed again and again.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>

namespace liftlock {

/// What failed `failures` times within `window` rests for `rest`; one more failure within the window and it rests
/// again.
struct BreakerTerms {
  std::size_t failures = 3;
  std::chrono::seconds window{60};
  std::chrono::seconds rest{30};
};

/// Begins closed: with no failure. Not for several threads at once.
class CircuitBreaker {
 public:
  using Clock = std::chrono::steady_clock;
  explicit CircuitBreaker(BreakerTerms terms = {}) : m_terms(terms) {}

  const BreakerTerms& terms() const { return m_terms; }
  /// @param when not before the one that was told last
  void failed(Clock::time_point when) {
    m_failures.push_back(when);
    if (m_failures.size() > m_terms.failures) m_failures.pop_front();
  }
  /// Until when it rests; nothing when it may be tried.
  std::optional<Clock::time_point> open_until(Clock::time_point when) const {
    if (m_failures.size() < m_terms.failures || m_failures.back() - m_failures.front() > m_terms.window)
      return std::nullopt;
    const auto until = m_failures.back() + m_terms.rest;
    return until > when ? std::optional(until) : std::nullopt;
  }
  /// Do its failures lie so far back that they count no more?
  bool is_over(Clock::time_point when) const {
    return m_failures.empty() || when - m_failures.back() > std::max(m_terms.window, m_terms.rest);
  }
  /// How long to wait before the next start: 250 ms, and twice that for each failure within the window after the first.
  std::chrono::milliseconds backoff(Clock::time_point when) const {
    std::chrono::milliseconds wait{125};
    for (const auto failure : m_failures) wait *= when - failure <= m_terms.window ? 2 : 1;
    return wait;
  }

 private:
  BreakerTerms m_terms;
  std::deque<Clock::time_point> m_failures;
};

}  // namespace liftlock
