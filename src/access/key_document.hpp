// Keys as documents: what `key ls --json`, the gateway and the audit log say of them. Format: docs/formats/access.md.
#pragma once

#include <string>

#include "access/key_ring.hpp"
#include "base/json.hpp"

namespace liftlock {

/// "valid", "expired", "revoked"
std::string key_state(const ApiKey& key);
/// "unreadable", "revoked"
std::string key_state(const UnreadableKey& key);
/// Never with its secret, which the key does not hold.
Json key_json(const ApiKey& key);
/// What the audit log says of a key that is made, and later compares it with.
Json key_entry(const ApiKey& key, const Digest& secret);
/// All of a ring, each with its state and what it used today; of unreadable ones id and state.
Json keys_json(const KeyRing& ring);

}  // namespace liftlock
