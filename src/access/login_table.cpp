#include "access/login_table.hpp"

#include <algorithm>
#include <iterator>

#include "net/address.hpp"

namespace liftlock {

void LoginTable::count(const ApiKey& key, std::string_view peer, Day day) {
  if (day != m_day) {
    m_day = day;
    m_networks.clear();
  }
  auto& networks = m_networks[key.id];
  if (networks.size() > k_networks || !networks.insert(network_of_peer(peer)).second) return;
  m_waiting.push_back({key.id, key.user, networks.size() > k_networks ? std::string() : std::string(peer)});
}

std::vector<Login> LoginTable::take() {
  const auto end = m_waiting.begin() + static_cast<std::ptrdiff_t>(std::min(m_waiting.size(), k_at_once));
  std::vector<Login> logins(std::move_iterator(m_waiting.begin()), std::move_iterator(end));
  m_waiting.erase(m_waiting.begin(), end);
  return logins;
}

void LoginTable::put_back(std::vector<Login> logins) {
  m_waiting.insert(m_waiting.begin(), std::move_iterator(logins.begin()), std::move_iterator(logins.end()));
}

}  // namespace liftlock
