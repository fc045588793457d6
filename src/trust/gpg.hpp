// GnuPG as a child process: gpgv checks detached signatures against a keyring of exactly the given keys, gpg makes them
// through gpg-agent (smart cards) in the user's own GNUPGHOME.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// 40 hex digits in upper case, from any case; nullopt for anything else.
std::optional<std::string> parse_gpg_fingerprint(std::string_view text);

struct GpgPublicKey {
  std::string fingerprint;  ///< of the primary key
  std::string user_id;      ///< the first one, foreign text
  std::string armored;
};
/// Exports a key of the user's keyring, without foreign certifications. @throws Error{key_missing, tool_missing,
/// tool_failed}
GpgPublicKey export_gpg_key(std::string_view fingerprint);
/// Reads an armored public key with gpg in an empty home. @throws Error{schema_violation} when it is not exactly one
/// key
GpgPublicKey inspect_gpg_key(std::string_view armored);

struct GpgVerdict {
  SignatureStatus status = SignatureStatus::invalid;
  std::string fingerprint;  ///< of the primary key, when the signature is cryptographically good
  std::string signing_key;  ///< the (sub)key that signed
  std::string message;
};

/// What `gpgv --status-fd` said about one signature. Pure; only VALIDSIG together with GOODSIG is valid.
GpgVerdict judge_gpg_status(std::string_view status_lines);

/// A temporary keyring of these armored keys.
class GpgKeyring {
 public:
  /// @throws Error{schema_violation} for a key whose armor is broken
  explicit GpgKeyring(const std::vector<const TrustedKey*>& keys);
  /// @throws Error{tool_missing}
  GpgVerdict verify(std::string_view document, std::string_view armored_signature) const;

 private:
  TemporaryFolder m_folder;
};

/// @throws Error{key_missing} when gpg has no secret key with the fingerprint
std::unique_ptr<Signer> open_gpg_signer(std::string_view fingerprint, const std::optional<fs::path>& passphrase_file);

}  // namespace liftlock
