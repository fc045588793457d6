// A bounded queue that takes turns between callers: who asks a hundred times waits behind who asks once, and when it is
// full, whoever holds most of it makes room.
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

  /// What has no place: nothing; the newest of the caller that holds the most places, where this one would still hold
  /// fewer; else the value itself.
  std::optional<T> push(const std::string& caller, std::uint64_t ticket, T value) {
    std::optional<T> displaced;
    if (m_size >= m_capacity) {
      displaced = make_room(caller);
      if (!displaced) return value;
    }
    auto at = std::find_if(m_turns.begin(), m_turns.end(), [&](const auto& turn) { return turn.caller == caller; });
    if (at == m_turns.end()) at = m_turns.insert(m_turns.end(), Turn{caller, {}});
    at->waiting.emplace_back(ticket, std::move(value));
    ++m_size;
    return displaced;
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
  std::optional<T> make_room(const std::string& caller) {
    const auto places = [](const auto& turn) { return turn.waiting.size(); };
    const auto most =
        std::max_element(m_turns.begin(), m_turns.end(), [&](auto& a, auto& b) { return places(a) < places(b); });
    const auto own = std::find_if(m_turns.begin(), m_turns.end(), [&](auto& turn) { return turn.caller == caller; });
    const auto held = own == m_turns.end() ? 0 : places(*own);
    if (most == m_turns.end() || places(*most) <= held + 1) return std::nullopt;
    std::optional<T> out = std::move(most->waiting.back().second);
    most->waiting.pop_back();
    --m_size;
    return out;
  }

  struct Turn {
    std::string caller;
    std::deque<std::pair<std::uint64_t, T>> waiting;  ///< never empty
  };
  std::size_t m_capacity;
  std::size_t m_size = 0;
  std::list<Turn> m_turns;
};

}  // namespace liftlock::engine
