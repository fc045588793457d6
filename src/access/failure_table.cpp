#include "access/failure_table.hpp"

#include <algorithm>

#include "net/address.hpp"

namespace liftlock {
namespace {

constexpr std::chrono::minutes k_window{1};
/// Longer than any address.
constexpr std::size_t k_max_peer = 64;
/// Bytes of an IPv6 address that tell networks apart; the rest is for its holder to choose (RFC 4291 §2.5.4).
constexpr std::size_t k_network_bytes = 8;

/// What counts as one peer. Link-local addresses are shown with a zone.
std::string network_of(std::string_view peer) {
  const auto address = IpAddress::parse(peer.substr(0, peer.find('%')));
  if (!address) return std::string(peer.substr(0, k_max_peer));
  if (address->is_v4()) return address->text();
  auto network = address->bytes();
  std::fill(network.begin() + k_network_bytes, network.end(), std::uint8_t{0});
  return IpAddress::v6(network).text();
}

}  // namespace

FailureTable::Verdict FailureTable::count(std::string_view peer, Clock::time_point now) {
  auto& minute = minute_of(network_of(peer), now);
  if (now - minute.begin >= k_window) minute = {.begin = now};
  ++minute.failures;
  return {.slowed = minute.failures > k_allowed,
          .wait = std::chrono::ceil<std::chrono::seconds>(minute.begin + k_window - now)};
}

FailureTable::Minute& FailureTable::minute_of(const std::string& peer, Clock::time_point now) {
  if (const auto found = m_peers.find(peer); found != m_peers.end()) return found->second;
  if (m_peers.size() >= m_capacity) forget_old(now);
  if (m_peers.size() >= m_capacity) return m_rest;
  return m_peers.emplace(peer, Minute{.begin = now}).first->second;
}

void FailureTable::forget_old(Clock::time_point now) {
  // A look through the whole table for each failure would be the very load that the table keeps off.
  if (now - m_swept < std::chrono::seconds(1)) return;
  m_swept = now;
  std::erase_if(m_peers, [&](const auto& peer) { return now - peer.second.begin >= k_window; });
}

}  // namespace liftlock
