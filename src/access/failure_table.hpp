// How often each peer failed to log in, in bounded memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace liftlock {

/// Counts failures of a peer within a minute that begins with its first. The addresses of an IPv6 network (/64) are one
/// peer: whoever has one of them has all. Peers past the capacity share one count, so that whoever has many addresses
/// is slowed as one. Not for several threads at once.
class FailureTable {
 public:
  using Clock = std::chrono::steady_clock;
  explicit FailureTable(std::size_t capacity = 4096) : m_capacity(capacity) {}

  struct Verdict {
    bool slowed;                ///< more than k_allowed within the minute
    std::chrono::seconds wait;  ///< until the minute ends
  };
  Verdict count(std::string_view peer, Clock::time_point now);
  std::size_t size() const { return m_peers.size(); }

  /// What was slowed, and so was told nobody one by one.
  struct Slowed {
    std::string peer;  ///< of a network its first address; empty: those that share one count
    std::uint64_t failures = 0;
  };
  /// Ends the minutes that are over: what was slowed in them waits for next_slowed().
  void end_minutes(Clock::time_point now);
  /// nullopt: nothing waits.
  std::optional<Slowed> next_slowed();
  /// By who could not tell of it.
  void put_back(const Slowed& slowed);

  static constexpr unsigned k_allowed = 5;
  static constexpr std::chrono::minutes k_window{1};

 private:
  struct Minute {
    Clock::time_point begin;
    unsigned failures = 0;
  };
  Minute& minute_of(const std::string& peer, Clock::time_point now);
  void end(const std::string& peer, const Minute& minute);

  std::size_t m_capacity;
  std::unordered_map<std::string, Minute> m_peers;
  Minute m_rest;
  std::map<std::string, std::uint64_t> m_slowed;  ///< of minutes that are over
  Clock::time_point m_swept;
};

}  // namespace liftlock
