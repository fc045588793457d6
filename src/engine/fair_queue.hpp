// A bounded queue that takes turns between callers: who asks a hundred times waits behind who asks once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace liftlock::engine {

/// Not for several threads at once.
template <typename T>
class FairQueue {
 public:
  explicit FairQueue(std::size_t capacity) : m_capacity(capacity) {}

  std::size_t size() const { return m_size; }
  bool empty() const { return m_size == 0; }

  /// false when it is full; then nothing was taken.
  bool push(const std::string& caller, std::uint64_t ticket, T value) {
    if (m_size >= m_capacity) return false;
    auto at = std::find_if(m_turns.begin(), m_turns.end(), [&](const auto& turn) { return turn.caller == caller; });
    if (at == m_turns.end()) at = m_turns.insert(m_turns.end(), Turn{caller, {}});
    at->waiting.emplace_back(ticket, std::move(value));
    ++m_size;
    return true;
  }

  /// The oldest of the caller whose turn it is; that caller is last in turn then.
  std::optional<T> pop() {
    if (m_turns.empty()) return std::nullopt;
    auto& waiting = m_turns.front().waiting;
    std::optional<T> value = std::move(waiting.front().second);
    waiting.pop_front();
    --m_size;
    if (waiting.empty()) {
      m_turns.pop_front();
    } else {
      m_turns.splice(m_turns.end(), m_turns, m_turns.begin());
    }
    return value;
  }

  std::optional<T> remove(std::uint64_t ticket) {
    for (auto turn = m_turns.begin(); turn != m_turns.end(); ++turn) {
      auto& waiting = turn->waiting;
      const auto at =
          std::find_if(waiting.begin(), waiting.end(), [&](const auto& item) { return item.first == ticket; });
      if (at == waiting.end()) continue;
      std::optional<T> value = std::move(at->second);
      waiting.erase(at);
      --m_size;
      if (waiting.empty()) m_turns.erase(turn);
      return value;
    }
    return std::nullopt;
  }

 private:
  struct Turn {
    std::string caller;
    std::deque<std::pair<std::uint64_t, T>> waiting;  ///< never empty
  };
  std::size_t m_capacity;
  std::size_t m_size = 0;
  std::list<Turn> m_turns;
};

}  // namespace liftlock::engine
