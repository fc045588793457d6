#include <array>
#include <utility>

#include "trust/trust.hpp"

namespace liftlock {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 5> k_roles{{{Role::root, "root"},
                                                                    {Role::builder, "builder"},
                                                                    {Role::scanner, "scanner"},
                                                                    {Role::approver, "approver"},
                                                                    {Role::ingest, "ingest"}}};
constexpr std::array<std::pair<KeyType, std::string_view>, 4> k_types{{{KeyType::ecdsa_p256, "ecdsa-p256"},
                                                                       {KeyType::ecdsa_p384, "ecdsa-p384"},
                                                                       {KeyType::ed25519, "ed25519"},
                                                                       {KeyType::gpg, "gpg"}}};

}  // namespace

const std::set<Role>& bundle_roles() {
  static const std::set<Role> roles{Role::builder, Role::scanner, Role::approver};
  return roles;
}

std::string_view name(Role role) {
  return k_roles[static_cast<std::size_t>(role)].second;
}
std::optional<Role> parse_role(std::string_view text) {
  for (const auto& [role, role_name] : k_roles) {
    if (role_name == text) return role;
  }
  return std::nullopt;
}

std::string_view name(KeyType type) {
  return k_types[static_cast<std::size_t>(type)].second;
}
std::optional<KeyType> parse_key_type(std::string_view text) {
  for (const auto& [type, type_name] : k_types) {
    if (type_name == text) return type;
  }
  return std::nullopt;
}

bool is_unlisted(SignatureStatus status) {
  return status == SignatureStatus::unknown_key || status == SignatureStatus::retired_key;
}

std::string_view name(SignatureStatus status) {
  switch (status) {
    case SignatureStatus::valid:
      return "valid";
    case SignatureStatus::invalid:
      return "invalid";
    case SignatureStatus::malformed:
      return "malformed";
    case SignatureStatus::unknown_key:
      return "unknown-key";
    case SignatureStatus::retired_key:
      return "retired-key";
    case SignatureStatus::revoked_key:
      return "revoked-key";
    case SignatureStatus::expired_key:
      return "expired-key";
    case SignatureStatus::wrong_role:
      return "wrong-role";
  }
  return "invalid";
}

Digest unsigned_root() {
  const std::array<std::uint8_t, 32> zeros{};
  return Digest(DigestAlgorithm::sha256, zeros);
}

const TrustedKey* TrustRoot::find(std::string_view key_id) const {
  for (const auto& key : keys) {
    if (key.id == key_id) return &key;
  }
  return nullptr;
}

}  // namespace liftlock
