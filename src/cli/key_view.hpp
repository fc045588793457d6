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
/// "unreadable", "revoked"
std::string key_state(const UnreadableKey& key);
/// Never with its secret, which the key does not hold.
Json key_json(const ApiKey& key);
/// What the audit log says of a key that is made, and later compares it with.
Json key_entry(const ApiKey& key, const Digest& secret);
std::string key_table(const std::vector<ApiKey>& keys, const std::vector<UnreadableKey>& unreadable);

}  // namespace liftlock
