#include "access/key_document.hpp"

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace liftlock {

std::string key_state(const ApiKey& key) {
  if (key.revoked) return "revoked";
  return key.expires && now() >= *key.expires ? "expired" : "valid";
}

std::string key_state(const UnreadableKey& key) {
  return key.is_revoked ? "revoked" : "unreadable";
}

Json key_json(const ApiKey& key) {
  Json json = {{"id", key.id},
               {"user", key.user},
               {"role", name(key.role)},
               {"models", key.models},
               {"requests_per_minute", key.limits.requests_per_minute},
               {"tokens_per_minute", key.limits.tokens_per_minute},
               {"tokens_per_day", key.limits.tokens_per_day},
               {"label", key.label},
               {"record", key.record},
               {"note", key.note},
               {"created", format_time(key.created)}};
  if (key.expires) json["expires"] = format_time(*key.expires);
  if (key.revoked) json["revoked"] = {{"since", format_time(*key.revoked)}, {"reason", key.revoked_reason}};
  return json;
}

Json key_entry(const ApiKey& key, const Digest& secret) {
  auto json = key_json(key);
  json.erase("revoked");
  json["secret_sha256"] = secret.hex();
  return json;
}

Json keys_json(const KeyRing& ring) {
  const auto used = ring.tokens_of(std::chrono::floor<std::chrono::days>(now()));
  auto out = Json::array();
  for (const auto& key : ring.list()) {
    auto one = key_json(key);
    one["state"] = key_state(key);
    const auto tokens = used.find(key.id);
    one["tokens_today"] = tokens == used.end() ? 0 : tokens->second;
    out.push_back(std::move(one));
  }
  for (const auto& key : ring.unreadable()) out.push_back({{"id", printable(key.id)}, {"state", key_state(key)}});
  return out;
}

}  // namespace liftlock
