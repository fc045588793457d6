// What the key commands show.
#pragma once

#include <string>
#include <vector>

#include "access/key_ring.hpp"
#include "base/json.hpp"
#include "site/site.hpp"

namespace liftlock {

fs::path access_file(const Site& site);

/// "valid", "expired", "revoked"
std::string key_state(const ApiKey& key);
/// Never with its secret, which the key does not hold.
Json key_json(const ApiKey& key);
std::string key_table(const std::vector<ApiKey>& keys);

}  // namespace liftlock
