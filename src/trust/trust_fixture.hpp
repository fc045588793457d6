// What the tests of this room share: an organisation with two root keys, a builder and two approvers.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/key.hpp"
#include "trust/root_statement.hpp"
#include "trust/sigstore_bundle.hpp"
#include "trust/trust.hpp"

namespace liftlock {

inline const Timestamp k_now = parse_time("2026-11-23T06:00:00Z");

inline TrustedKey listed(const PrivateKey& key, Role role, std::string owner) {
  TrustedKey out;
  out.id = key.public_key().id();
  out.type = parse_key_type(name(key.algorithm())).value();
  out.role = role;
  out.owner = std::move(owner);
  out.public_key = key.public_key().pem();
  return out;
}

/// Keys by owner name; one set for the whole program, since making them takes time.
inline const PrivateKey& key_of(const std::string& owner) {
  static std::map<std::string, PrivateKey> keys;
  const auto algorithm = owner == "ada"     ? KeyAlgorithm::ed25519
                         : owner == "root2" ? KeyAlgorithm::ecdsa_p384
                                            : KeyAlgorithm::ecdsa_p256;
  if (!keys.contains(owner)) keys.emplace(owner, PrivateKey::generate(algorithm));
  return keys.at(owner);
}

/// root1 and root2 (threshold 1), builder "bob" (1), approvers "ada" and "eve" (no threshold), scanner "sam", ingest
/// "ian".
inline TrustRoot sample_root() {
  TrustRoot root;
  root.organisation = "Example";
  root.version = 1;
  root.created = k_now - std::chrono::days(1);
  root.keys = {listed(key_of("root1"), Role::root, "root1"), listed(key_of("root2"), Role::root, "root2"),
               listed(key_of("bob"), Role::builder, "bob"),  listed(key_of("ada"), Role::approver, "ada"),
               listed(key_of("eve"), Role::approver, "eve"), listed(key_of("sam"), Role::scanner, "sam"),
               listed(key_of("ian"), Role::ingest, "ian")};
  root.thresholds = {{Role::root, 1}, {Role::builder, 1}};
  return root;
}

inline TrustedKey& find_owner(TrustRoot& root, const std::string& owner) {
  return *std::find_if(root.keys.begin(), root.keys.end(), [&](const auto& key) { return key.owner == owner; });
}

inline std::string signed_statement(const TrustRoot& root, const std::vector<std::string>& signers) {
  auto statement = draft_root(root);
  for (const auto& signer : signers) sign_root(statement, key_of(signer));
  return encode_root(statement);
}

inline TrustRoot next(TrustRoot root) {
  ++root.version;
  return root;
}

inline SignatureFile signature_by(const std::string& owner, const std::string& role, std::string_view document) {
  const auto& key = key_of(owner);
  return {role + "." + key.public_key().id().substr(0, 16) + ".sigstore.json", sign_sigstore_bundle(key, document)};
}

}  // namespace liftlock
