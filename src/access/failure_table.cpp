#include "access/failure_table.hpp"

#include "net/address.hpp"

namespace liftlock {
FailureTable::Verdict FailureTable::count(std::string_view peer, Clock::time_point now) {
  const auto network = network_of_peer(peer);
  auto& minute = minute_of(network, now);
  if (now - minute.begin >= k_window) {
    end(&minute == &m_rest ? "" : network, minute);
    minute = {.begin = now};
  }
  ++minute.failures;
  return {.slowed = minute.failures > k_allowed,
          .wait = std::chrono::ceil<std::chrono::seconds>(minute.begin + k_window - now)};
}

FailureTable::Minute& FailureTable::minute_of(const std::string& peer, Clock::time_point now) {
  if (const auto found = m_peers.find(peer); found != m_peers.end()) return found->second;
  // A look through the whole table for each failure would be the very load that the table keeps off.
  if (m_peers.size() >= m_capacity && now - m_swept >= std::chrono::seconds(1)) end_minutes(now);
  if (m_peers.size() >= m_capacity) return m_rest;
  return m_peers.emplace(peer, Minute{.begin = now}).first->second;
}

void FailureTable::end_minutes(Clock::time_point now) {
  m_swept = now;
  std::erase_if(m_peers, [&](const auto& peer) {
    if (now - peer.second.begin < k_window) return false;
    end(peer.first, peer.second);
    return true;
  });
  if (now - m_rest.begin < k_window) return;
  end("", m_rest);
  m_rest = {};
}

void FailureTable::end(const std::string& peer, const Minute& minute) {
  if (minute.failures > k_allowed) put_back({peer, minute.failures - k_allowed});
}

std::optional<FailureTable::Slowed> FailureTable::next_slowed() {
  if (m_slowed.empty()) return std::nullopt;
  const auto first = m_slowed.extract(m_slowed.begin());
  return Slowed{first.key(), first.mapped()};
}

void FailureTable::put_back(const Slowed& slowed) {
  const bool has_room = m_slowed.size() < m_capacity || m_slowed.contains(slowed.peer);
  m_slowed[has_room ? slowed.peer : ""] += slowed.failures;
}

}  // namespace liftlock
