#include "trust/root_statement.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "trust/gpg.hpp"
#include "trust/openpgp.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_payload_type = "application/vnd.liftlock.root+json";
constexpr std::string_view k_where = "root statement";
constexpr JsonLimits k_envelope_limits{1u << 20, 4};
constexpr JsonLimits k_payload_limits{512u << 10, 8};
constexpr std::uint64_t k_reader = 1;
constexpr std::uint64_t k_max_version = (std::uint64_t{1} << 53) - 1;  // what every JSON reader keeps exactly
constexpr std::size_t k_max_keys = 256;
constexpr std::size_t k_max_signatures = 64;
constexpr std::size_t k_max_signature_size = 512;
constexpr std::size_t k_max_gpg_key = 64u << 10;
constexpr unsigned k_max_threshold = 64;
constexpr std::string_view k_members[] = {"type",    "min_reader", "critical", "organisation", "version",
                                          "created", "expires",    "keys",     "thresholds"};

/// dsse/protocol.md, PAE
std::string pre_authentication(std::string_view payload) {
  return fmt::format("DSSEv1 {} {} {} {}", k_payload_type.size(), k_payload_type, payload.size(), payload);
}

std::string label_member(const Json& object, std::string_view key, std::size_t max_size) {
  auto text = string_member(object, key, k_where);
  if (text.empty() || text.size() > max_size || printable(text) != text) {
    fail(ErrorCode::schema_violation, "{}: '{}' must be 1 to {} bytes without control characters", k_where, key,
         max_size);
  }
  return text;
}

std::optional<Timestamp> optional_time(const Json& object, std::string_view key) {
  if (!object.contains(std::string(key))) return std::nullopt;
  return parse_time(string_member(object, key, k_where));
}

KeyType key_type(const PublicKey& key) {
  switch (key.algorithm()) {
    case KeyAlgorithm::ecdsa_p256:
      return KeyType::ecdsa_p256;
    case KeyAlgorithm::ecdsa_p384:
      return KeyType::ecdsa_p384;
    case KeyAlgorithm::ed25519:
      return KeyType::ed25519;
  }
  return KeyType::ecdsa_p256;
}

/// Is the id the one that follows from the key? For GnuPG that is only known when gpgv names the fingerprint.
void check_key_id(const TrustedKey& key) {
  if (key.type == KeyType::gpg) {
    if (parse_gpg_fingerprint(key.id) != key.id) {
      fail(ErrorCode::schema_violation, "{}: '{}' is not a GnuPG fingerprint", k_where, printable(key.id));
    }
    dearmor(key.public_key, "PUBLIC KEY BLOCK", k_max_gpg_key);
    return;
  }
  const auto public_key = PublicKey::from_pem(key.public_key);
  if (key_type(public_key) != key.type) {
    fail(ErrorCode::schema_violation, "{}: the key {} is not of type {}", k_where, printable(key.id), name(key.type));
  }
  if (public_key.id() != key.id) {
    fail(ErrorCode::schema_violation, "{}: the key id {} does not belong to its key, which is {}", k_where,
         printable(key.id), public_key.id());
  }
}

TrustedKey read_key(const std::string& id, const Json& json) {
  TrustedKey key;
  key.id = id;
  const auto type = parse_key_type(string_member(json, "type", k_where));
  const auto role = parse_role(string_member(json, "role", k_where));
  if (!type || !role)
    fail(ErrorCode::schema_violation, "{}: the key {} has an unknown type or role", k_where, printable(id));
  key.type = *type;
  key.role = *role;
  key.owner = label_member(json, "owner", 200);
  key.public_key = string_member(json, "public_key", k_where);
  key.expires = optional_time(json, "expires");
  if (json.contains("revoked")) {
    const auto& revoked = object_member(json, "revoked", k_where);
    key.revoked_since = parse_time(string_member(revoked, "since", k_where));
    key.revoked_reason = label_member(revoked, "reason", 2000);
  }
  if (key.role == Role::root && (key.type == KeyType::gpg || key.expires)) {
    fail(ErrorCode::schema_violation, "{}: the root key {} must not be of GnuPG, nor expire by itself", k_where,
         printable(id));
  }
  check_key_id(key);
  return key;
}

void check_reader(const Json& json) {
  if (const auto wanted = uint_member(json, "min_reader", k_where); wanted > k_reader) {
    fail(ErrorCode::too_new, "the root statement wants a reader of format {}; this one knows {}", wanted, k_reader);
  }
  if (!json.contains("critical")) return;
  const auto& critical = array_member(json, "critical", k_where);
  if (critical.size() > 32) fail(ErrorCode::limit_exceeded, "{}: 'critical' names more than 32 members", k_where);
  for (const auto& item : critical) {
    if (!item.is_string()) fail(ErrorCode::schema_violation, "{}: 'critical' must hold strings", k_where);
    const auto text = item.get<std::string>();
    if (std::find(std::begin(k_members), std::end(k_members), text) == std::end(k_members)) {
      fail(ErrorCode::too_new, "the root statement has a critical member '{}' that is unknown here", printable(text));
    }
  }
}

std::map<Role, unsigned> read_thresholds(const Json& json) {
  std::map<Role, unsigned> thresholds;
  for (const auto& [text, value] : json.items()) {
    const auto role = parse_role(text);
    if (!role) fail(ErrorCode::schema_violation, "{}: the role '{}' is unknown", k_where, printable(text));
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < 1 || value.get<std::uint64_t>() > k_max_threshold) {
      fail(ErrorCode::schema_violation, "{}: the threshold of '{}' must be 1 to {}", k_where, text, k_max_threshold);
    }
    thresholds[*role] = value.get<unsigned>();
  }
  return thresholds;
}

void check_root(const TrustRoot& root) {
  for (const auto role : {Role::root, Role::builder}) {
    if (!root.thresholds.contains(role))
      fail(ErrorCode::schema_violation, "{}: the role '{}' has no threshold", k_where, name(role));
  }
  const auto usable = std::count_if(root.keys.begin(), root.keys.end(),
                                    [](const auto& key) { return key.role == Role::root && !key.revoked_since; });
  if (static_cast<std::size_t>(usable) < root.thresholds.at(Role::root)) {
    fail(ErrorCode::schema_violation, "{}: {} usable root keys cannot reach the root threshold of {}", k_where, usable,
         root.thresholds.at(Role::root));
  }
  if (root.expires && *root.expires <= root.created) {
    fail(ErrorCode::schema_violation, "{}: it expires before it was created", k_where);
  }
}

TrustRoot read_payload(std::string_view payload) {
  const auto json = parse_json(payload, k_payload_limits);
  if (string_member(json, "type", k_where) != "liftlock-root") {
    fail(ErrorCode::schema_violation, "{}: 'type' must be liftlock-root", k_where);
  }
  check_reader(json);
  TrustRoot root;
  root.organisation = label_member(json, "organisation", 200);
  root.version = uint_member(json, "version", k_where);
  if (root.version < 1 || root.version > k_max_version)
    fail(ErrorCode::schema_violation, "{}: 'version' is out of range", k_where);
  root.created = parse_time(string_member(json, "created", k_where));
  root.expires = optional_time(json, "expires");
  const auto& keys = object_member(json, "keys", k_where);
  if (keys.size() > k_max_keys) fail(ErrorCode::limit_exceeded, "{}: more than {} keys", k_where, k_max_keys);
  for (const auto& [id, key] : keys.items()) root.keys.push_back(read_key(id, key));
  root.thresholds = read_thresholds(object_member(json, "thresholds", k_where));
  check_root(root);
  root.fingerprint = sha256(payload);
  return root;
}

Json key_json(const TrustedKey& key) {
  Json json{{"type", name(key.type)}, {"role", name(key.role)}, {"owner", key.owner}, {"public_key", key.public_key}};
  if (key.expires) json["expires"] = format_time(*key.expires);
  if (key.revoked_since) json["revoked"] = {{"since", format_time(*key.revoked_since)}, {"reason", key.revoked_reason}};
  return json;
}

}  // namespace

RootStatement decode_root(std::string_view statement) {
  const auto json =
      with_context(fmt::format("in {}", k_where), [&] { return parse_json(statement, k_envelope_limits); });
  only_members(json, {"payload", "payloadType", "signatures"}, k_where);
  if (string_member(json, "payloadType", k_where) != k_payload_type) {
    fail(ErrorCode::schema_violation, "{}: 'payloadType' must be {}", k_where, k_payload_type);
  }
  const auto payload = decode_base64(string_member(json, "payload", k_where));
  if (!payload) fail(ErrorCode::schema_violation, "{}: 'payload' must be base64", k_where);
  const auto& signatures = array_member(json, "signatures", k_where);
  if (signatures.size() > k_max_signatures)
    fail(ErrorCode::limit_exceeded, "{}: more than {} signatures", k_where, k_max_signatures);
  RootStatement out;
  std::set<std::string> seen;
  for (const auto& item : signatures) {
    only_members(item, {"keyid", "sig"}, k_where);
    auto key_id = string_member(item, "keyid", k_where);
    const auto bytes = decode_base64(string_member(item, "sig", k_where));
    if (key_id.size() > 64 || !bytes || bytes->empty() || bytes->size() > k_max_signature_size) {
      fail(ErrorCode::schema_violation, "{}: a signature must have a key id, and base64 of at most {} bytes", k_where,
           k_max_signature_size);
    }
    if (!seen.insert(key_id).second) {
      fail(ErrorCode::schema_violation, "{}: the key {} signs twice", k_where, printable(key_id));
    }
    out.signatures.push_back({std::move(key_id), *bytes});
  }
  out.payload = as_text(*payload);
  out.root = read_payload(out.payload);
  return out;
}

std::string encode_root(const RootStatement& statement) {
  auto signatures = Json::array();
  for (const auto& signature : statement.signatures) {
    signatures.push_back({{"keyid", signature.key_id}, {"sig", encode_base64(signature.signature)}});
  }
  return dump_json({{"payloadType", k_payload_type},
                    {"payload", encode_base64(as_bytes(statement.payload))},
                    {"signatures", std::move(signatures)}});
}

std::string encode_root_payload(const TrustRoot& root) {
  auto keys = Json::object();
  for (const auto& key : root.keys) keys[key.id] = key_json(key);
  auto thresholds = Json::object();
  for (const auto& [role, count] : root.thresholds) thresholds[std::string(name(role))] = count;
  Json json{{"type", "liftlock-root"},
            {"min_reader", k_reader},
            {"organisation", root.organisation},
            {"version", root.version},
            {"created", format_time(root.created)},
            {"keys", std::move(keys)},
            {"thresholds", std::move(thresholds)}};
  if (root.expires) json["expires"] = format_time(*root.expires);
  auto payload = dump_json(json);
  read_payload(payload);
  return payload;
}

RootStatement draft_root(const TrustRoot& root) {
  RootStatement statement;
  statement.payload = encode_root_payload(root);
  statement.root = read_payload(statement.payload);
  return statement;
}

void sign_root(RootStatement& statement, const PrivateKey& key) {
  const auto id = key.public_key().id();
  std::erase_if(statement.signatures, [&](const auto& signature) { return signature.key_id == id; });
  statement.signatures.push_back({id, key.sign(pre_authentication(statement.payload))});
}

std::set<std::string> root_signers(const RootStatement& statement, const TrustRoot& by) {
  std::set<std::string> signers;
  const auto message = pre_authentication(statement.payload);
  for (const auto& [key_id, signature] : statement.signatures) {
    const auto* key = by.find(key_id);
    if (key == nullptr || key->role != Role::root || key->revoked_since) continue;
    if (!PublicKey::from_pem(key->public_key).verify(message, signature)) {
      fail(ErrorCode::trust_broken, "root statement {}: the signature of key {} ({}) does not fit",
           statement.root.version, key_id.substr(0, 16), printable(key->owner));
    }
    signers.insert(key_id);
  }
  return signers;
}

bool is_signed_by(const RootStatement& statement, const TrustedKey& key) {
  const auto& all = statement.signatures;
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.key_id == key.id; });
  return found != all.end() &&
         PublicKey::from_pem(key.public_key).verify(pre_authentication(statement.payload), found->signature);
}

std::size_t missing_root_signatures(const RootStatement& statement, const TrustRoot& by) {
  const std::size_t have = root_signers(statement, by).size();
  const std::size_t wanted = by.thresholds.at(Role::root);
  return have < wanted ? wanted - have : 0;
}

}  // namespace liftlock
