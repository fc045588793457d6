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
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {

/// A key has exactly one role, so that a signature says by its key alone which role it speaks for.
enum class Role : std::uint8_t { root, builder, scanner, approver, ingest };
/// The roles that speak for a bundle. Receipts and requests of the high side are signed by {ingest}.
const std::set<Role>& bundle_roles();
std::string_view name(Role role);
std::optional<Role> parse_role(std::string_view text);

enum class KeyType : std::uint8_t { ecdsa_p256, ecdsa_p384, ed25519, gpg };
/// "ecdsa-p256", "ecdsa-p384", "ed25519", "gpg"
std::string_view name(KeyType type);
std::optional<KeyType> parse_key_type(std::string_view text);

struct TrustedKey {
  std::string id;  ///< SHA-256 in hex of the DER SubjectPublicKeyInfo; for gpg the 40-digit fingerprint
  KeyType type = KeyType::ecdsa_p256;
  Role role = Role::builder;
  std::string owner;       ///< for people: "Ada, build team"
  std::string public_key;  ///< PEM (SPKI), or for gpg the armored public key
  std::optional<Timestamp> expires;
  std::optional<Timestamp> revoked_since;  ///< for people: a revoked key counts for nothing, whenever it signed
  std::string revoked_reason;
};

/// The fingerprint of a root that comes from no statement: all zeros.
Digest unsigned_root();

/// One verified version of the trust statement.
struct TrustRoot {
  std::string organisation;
  std::uint64_t version = 0;
  Timestamp created{};
  std::optional<Timestamp> expires;
  std::vector<TrustedKey> keys;          ///< sorted by id, each id once
  std::vector<TrustedKey> retired;       ///< listed by an earlier statement of the chain: they count for nothing
  std::map<Role, unsigned> thresholds;   ///< roles absent here need no signature; root and builder are always there
  Digest fingerprint = unsigned_root();  ///< of the statement it came from: what people compare
  const TrustedKey* find(std::string_view key_id) const;
};

/// A signature file as it lies in signatures/: NAME.sigstore.json (sigstore bundle v0.3 with a plain key hint,
/// `cosign verify-blob`) or NAME.asc (GnuPG detached).
struct SignatureFile {
  std::string name;
  std::string bytes;
};

enum class SignatureStatus : std::uint8_t {
  valid,
  invalid,
  malformed,
  unknown_key,
  retired_key,
  revoked_key,
  expired_key,
  wrong_role
};
std::string_view name(SignatureStatus status);
/// What refuses a document for a signature that is not valid.
ErrorCode code_of(SignatureStatus status);
/// By a key that the root does not list, or lists no longer: where nobody has to sign, it is as good as no signature.
bool is_unlisted(SignatureStatus status);

struct JudgedSignature {
  std::string file;
  std::string key_id;
  std::string owner;
  std::optional<Role> role;  ///< the role of the key; nullopt when the key is unknown or retired
  SignatureStatus status = SignatureStatus::invalid;
  std::string message;
};

/// Judges every signature over these exact bytes. Never throws for a bad signature: it is in the answer.
/// A key whose role is not in `roles`, or not the one that the file's name starts with ("builder.…"), is wrong_role.
/// When the root itself has expired, every key of it has.
/// @throws Error{tool_missing} when the root lists GnuPG keys, a .asc file is there, and gpgv is not installed
std::vector<JudgedSignature> judge(std::string_view document, const std::vector<SignatureFile>& signatures,
                                   const TrustRoot& root, Timestamp when, const std::set<Role>& roles = bundle_roles());

/// A key counts once, however many files it signed.
/// @throws Error{signature_invalid, key_revoked} for any signature that is malformed, invalid or by a revoked key;
/// Error{key_expired, key_retired, key_unknown, key_role, unsigned_document} when one of `roles` lacks distinct valid
/// keys for its threshold: the error of the first signature that did not count wins over "too few", since it says more.
void require_thresholds(const std::vector<JudgedSignature>& judged, const TrustRoot& root,
                        const std::set<Role>& roles = bundle_roles());

/// The chain of root statements, N.root.json (DSSE envelopes): each version is signed by the threshold of the root role
/// of the version before it and of its own (TUF 1.0.34 §5.3). Statements are given in order, starting anywhere at or
/// before pinned.version + 1; the one of the pinned version must be the pinned one. An expired statement is followed
/// all the same, since its revocations count; judge() then refuses.
/// @param when a statement created more than a day later is refused: by such a clock nothing can be judged
/// @throws Error{trust_broken} for gaps, forks and missing signatures, Error{clock_behind}, and what parse_root throws
TrustRoot advance(const TrustRoot& pinned, const std::vector<std::string>& statements, Timestamp when);
/// The newest root of a pinned chain (not empty, oldest first). @throws Error{trust_broken} when it is no chain
TrustRoot newest_root(const std::vector<std::string>& chain);
/// Where these statements lead from a pinned chain (not empty, oldest first): what ingest and verify judge a bundle by.
/// @throws what advance throws, also when a statement differs from a pinned one of a version long past
TrustRoot judge_chain(const std::vector<std::string>& pinned, const std::vector<std::string>& statements,
                      Timestamp when);
/// Parses and self-verifies one statement without believing it: for showing its fingerprint before it is pinned.
/// @throws Error{trust_broken, schema_violation, json_invalid, json_duplicate_key, limit_exceeded, too_new}
TrustRoot parse_root(std::string_view statement);
/// What people compare before they pin: SHA-256 of the statement's payload.
Digest root_fingerprint(std::string_view statement);

/// The trust folder of an installation: the pinned chain as N.root.json. Writers take a lock; readers need none, since
/// each file appears whole and only ever extends the chain.
class TrustStore {
 public:
  explicit TrustStore(fs::path folder);
  /// @throws Error{trust_missing}, and Error{trust_broken} when the files are no chain
  TrustRoot current() const;
  bool empty() const;
  const fs::path& folder() const { return m_folder; }
  /// All pinned statements, oldest first, as they are put into manifest/trust/; may be none.
  std::vector<std::string> statements() const;
  /// The same of an installation that must trust somebody. @throws Error{trust_missing}
  std::vector<std::string> pinned_chain() const;
  /// Pins a first root; pinning one that is already in the chain changes nothing.
  /// @throws Error{confirmation_required} when expected is not its fingerprint, Error{immutable} when another chain is
  /// pinned: see replace()
  void pin(std::string_view statement, const Digest& expected);
  /// Sets the pinned chain aside (replaced/FINGERPRINT/) and pins this root instead. The caller records why.
  void replace(std::string_view statement, const Digest& expected);
  /// Follows a chain that a bundle brought; stores the new versions. Returns how many were new.
  /// @throws what judge_chain throws; nothing is stored then
  std::size_t follow(const std::vector<std::string>& statements, Timestamp when);

 private:
  fs::path m_folder;
};

/// Signs documents. Private keys never appear in argv: a PEM file (optionally encrypted; passphrase from a file
/// descriptor (/dev/fd/3), a file, or the terminal), or a GnuPG key by fingerprint through gpg-agent (smart cards).
class Signer {
 public:
  virtual ~Signer() = default;
  virtual std::string key_id() const = 0;
  /// The content of the signature file, and the suffix of its name (".sigstore.json" or ".asc").
  virtual std::string sign(std::string_view document) const = 0;
  virtual std::string_view suffix() const = 0;
};
/// @param key path of a PEM file, or "gpg:FINGERPRINT" (40 hex digits; GNUPGHOME says which agent)
/// @throws Error{key_missing, passphrase, schema_violation}
std::unique_ptr<Signer> open_signer(const std::string& key, const std::optional<fs::path>& passphrase_file);

}  // namespace liftlock
