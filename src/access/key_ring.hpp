// The users' API keys: STATE/access.db. Format: docs/formats/access.md.
//
// The file holds the SHA-256 of each secret and never the secret: it is 256 bits of chance, so that a plain hash is
// enough. Several processes may have it open; each object belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/access.hpp"
#include "os/file.hpp"

namespace liftlock {

/// What the holder of a key may do; see may(). (The roles of those who sign are trust's Role.)
enum class UserRole : std::uint8_t { viewer, operate, admin, auditor };
/// "viewer", "operator", "admin", "auditor"
std::string_view name(UserRole role);
std::optional<UserRole> parse_user_role(std::string_view text);

enum class Right : std::uint8_t {
  ask,      ///< ask models: viewer, operator, admin
  load,     ///< load and unload models: operator, admin
  keys,     ///< make and revoke keys: admin
  records,  ///< read what others asked: auditor, and nobody else
};
bool may(UserRole role, Right right);

/// 0: no limit.
struct KeyLimits {
  unsigned requests_per_minute = 0;
  std::uint64_t tokens_per_minute = 0;
  std::uint64_t tokens_per_day = 0;  ///< days of UTC
};

struct ApiKey {
  std::string id;    ///< "key_" and 12 hex digits: what logs and records name
  std::string user;  ///< 1 to 200 bytes, no control characters
  UserRole role = UserRole::viewer;
  std::vector<std::string> models;  ///< names in the catalog, '*' matches within one; empty: all
  KeyLimits limits;
  std::optional<Timestamp> expires;
  std::string label;   ///< of the site (Labels); empty: none
  std::string record;  ///< the mode of the record that it asks for: "full", "hash-only", "off"; empty: the site's
  std::string note;    ///< for people, at most 200 bytes
  Timestamp created{};
  std::optional<Timestamp> revoked;
  std::string revoked_reason;
};

/// A row that is no ApiKey: somebody wrote into the file. Nobody is admitted with it.
struct UnreadableKey {
  std::string id;
  bool is_revoked = false;
};

/// Days since 1970-01-01 of UTC.
using Day = std::chrono::sys_days;

class KeyRing {
 public:
  /// @throws Error{not_found} with Access::read when there is none; Error{too_new}, and what Database throws
  explicit KeyRing(const fs::path& file, Access access = Access::write);
  ~KeyRing();
  KeyRing(KeyRing&&) noexcept;

  static std::string new_id();
  /// "llk_" and 43 characters of base64url
  static std::string new_secret();

  /// What add() would say of its members. @throws Error{usage} when one is not as ApiKey says
  static void require_valid(const ApiKey& key);
  /// Stores the key, and of its secret, which it returns, the digest alone. It is valid when this returns.
  /// @throws Error{usage} when a member is not as ApiKey says, or the id is taken
  std::string add(const ApiKey& key, std::string secret = new_secret());
  /// From oldest to newest, those revoked and expired too, and without the unreadable ones.
  std::vector<ApiKey> list() const;
  std::vector<UnreadableKey> unreadable() const;
  /// Is it here? Readable or not.
  bool contains(const std::string& id) const;
  /// Looks at no other row: one that is unreadable keeps nobody from revoking a key, nor from being revoked.
  /// @throws Error{key_unknown} when there is no such key, Error{immutable} when it is revoked already
  void revoke(const std::string& id, Timestamp when, std::string_view reason);

  /// Another number after each change of keys by any process.
  std::uint64_t generation() const;
  /// The digests of the secrets with their keys, as list() has them: what a Gatekeeper looks up.
  std::vector<std::pair<Digest, ApiKey>> table() const;

  /// Adds to what each key used on that day, durably, for all processes; the answer holds the new totals of these keys.
  /// Days long past are forgotten.
  std::map<std::string, std::uint64_t> count_tokens(Day day, const std::map<std::string, std::uint64_t>& tokens);
  /// What every key used on that day; none: nothing.
  std::map<std::string, std::uint64_t> tokens_of(Day day) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> m_impl;
};

}  // namespace liftlock
