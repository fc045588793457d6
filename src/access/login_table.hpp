// Which keys were used today, and from where, in bounded memory.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/key_ring.hpp"

namespace liftlock {

/// The first use of a key on a day (UTC) from one network.
struct Login {
  std::string key_id;
  std::string user;
  std::string peer;  ///< the address; empty: one of those past k_networks, which are told of once
};

/// Says each login once a day, so that a key which asks all day is one entry of a log. A key comes from k_networks a
/// day, networks as of network_of_peer(), before all further ones count as one: whoever has a key and many addresses
/// makes no flood. Not for several threads at once.
class LoginTable {
 public:
  void count(const ApiKey& key, std::string_view peer, Day day);
  /// The oldest that nobody was told of yet, k_at_once at most.
  std::vector<Login> take();
  /// By who could not tell of them.
  void put_back(std::vector<Login> logins);

  static constexpr std::size_t k_networks = 8;
  static constexpr std::size_t k_at_once = 1000;

 private:
  Day m_day{};
  std::unordered_map<std::string, std::set<std::string>> m_networks;  ///< of keys, by their ids: on m_day
  std::vector<Login> m_waiting;
};

}  // namespace liftlock
