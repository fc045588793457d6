// Who may say what: a versioned, threshold-signed root statement (TUF's root rules) lists keys and roles; documents are
// judged by the signatures that stand beside them. Format: docs/formats/trust.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/file.hpp"

namespace liftlock {

/// A key has exactly one role, so that a signature says by its key alone which role it speaks for.
enum class Role : std::uint8_t { root, builder, scanner, approver, ingest };
std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);

enum class KeyType : std::uint8_t { ecdsa_p256, ecdsa_p384, ed25519, gpg };

struct TrustedKey {
  std::string id;      ///< SHA-256 in hex of the DER SubjectPublicKeyInfo; for gpg the 40-digit fingerprint
  KeyType type = KeyType::ecdsa_p256;
  Role role = Role::builder;
  std::string owner;       ///< for people: "Ada, build team"
  std::string public_key;  ///< PEM (SPKI), or for gpg the armored public key
  std::optional<Timestamp> expires;
  std::optional<Timestamp> revoked_since;
  std::string revoked_reason;
};

/// One verified version of the trust statement.
struct TrustRoot {
  std::string organisation;
  std::uint64_t version = 0;
  std::optional<Timestamp> expires;
  std::vector<TrustedKey> keys;
  std::map<Role, unsigned> thresholds;  ///< roles absent here need no signature
  const TrustedKey* find(std::string_view key_id) const;
};

/// A signature file as it lies in signatures/: NAME.sigstore.json (sigstore bundle v0.3 with a plain key hint,
/// `cosign verify-blob`) or NAME.asc (GnuPG detached).
struct SignatureFile {
  std::string name;
  std::string bytes;
};

enum class SignatureStatus : std::uint8_t { valid, invalid, malformed, unknown_key, revoked_key, expired_key, wrong_role };
std::string_view name(SignatureStatus status);

struct JudgedSignature {
  std::string file;
  std::string key_id;
  std::string owner;
  std::optional<Role> role;  ///< the role of the key; nullopt when the key is unknown
  SignatureStatus status = SignatureStatus::invalid;
  std::string message;
};

/// Judges every signature over these exact bytes. Never throws for a bad signature: it is in the answer.
/// A key counts once, however many files it signed.
std::vector<JudgedSignature> judge(std::string_view document, const std::vector<SignatureFile>& signatures,
                                   const TrustRoot& root, Timestamp when);

/// @throws Error{unsigned_document, signature_invalid, key_revoked, key_expired, key_unknown, key_role} when a role of
/// the root's thresholds lacks distinct valid keys, or any signature is invalid or by a revoked key. The error of the
/// first bad signature wins over "too few", since it says more.
void require_thresholds(const std::vector<JudgedSignature>& judged, const TrustRoot& root);

/// The chain of root statements, N.root.json (DSSE envelopes): each version is signed by the threshold of the root role of the
/// version before it and of its own. Statements are given in order, starting anywhere at or before pinned.version + 1.
/// @throws Error{trust_broken}
TrustRoot advance(const TrustRoot& pinned, const std::vector<std::string>& statements, Timestamp when);
/// Parses and self-verifies one statement without believing it: for showing its fingerprint before it is pinned.
TrustRoot parse_root(std::string_view statement);
/// What people compare before they pin: SHA-256 of the statement's payload.
Digest root_fingerprint(std::string_view statement);

/// The trust folder of an installation: the pinned chain.
class TrustStore {
 public:
  explicit TrustStore(fs::path folder);
  /// @throws Error{trust_missing}
  TrustRoot current() const;
  bool empty() const;
  /// All pinned statements, oldest first, as they are put into manifest/trust/.
  std::vector<std::string> statements() const;
  /// Pins a first root. @throws Error{confirmation_required} when expected is not its fingerprint
  void pin(std::string_view statement, const Digest& expected);
  /// Follows a chain that a bundle brought; stores the new versions. Returns how many were new.
  std::size_t follow(const std::vector<std::string>& statements, Timestamp when);

 private:
  fs::path m_folder;
};

/// Signs documents. Private keys never appear in argv: a PEM file (optionally encrypted; passphrase from a file
/// descriptor, a file, or the terminal), or a GnuPG key by fingerprint through gpg-agent (smart cards).
class Signer {
 public:
  virtual ~Signer() = default;
  virtual std::string key_id() const = 0;
  /// The content of the signature file, and the suffix of its name (".sigstore.json" or ".asc").
  virtual std::string sign(std::string_view document) const = 0;
  virtual std::string_view suffix() const = 0;
};
/// @param key path of a PEM file, or "gpg:FINGERPRINT"
std::unique_ptr<Signer> open_signer(const std::string& key, const std::optional<fs::path>& passphrase_file);

}  // namespace liftlock
