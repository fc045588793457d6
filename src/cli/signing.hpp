// Signs a document that lies in a folder, beside it in signatures/: a bundle, a receipt, a statement of a scanner.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// The type of the audit entry of a signature under a bundle; its subject is the digest of bundle.json.
inline constexpr std::string_view k_sign_event = "bundle.sign";

struct SigningKey {
  std::string key;              ///< a PEM file or gpg:FINGERPRINT
  std::string passphrase_file;  ///< empty: asked on the terminal where one is needed
};
/// --key and --passphrase-file
void add_signing_options(CLI::App& command, SigningKey& key, bool required);

/// The root that tells whether a key may sign: the pinned one, else the newest that the bundle carries (believed for
/// this warning to the signer only; the receiver judges by its own).
std::optional<TrustRoot> root_to_ask(const Site& site, const fs::path& bundle);
/// May this key sign in that role? @throws Error{key_unknown, key_retired, key_role, key_revoked, key_expired}
void require_listed(const TrustRoot& root, const std::string& key_id, Role role);
/// Says so where the statements that the bundle carries do not list the key: a receiver needs a newer one first.
void warn_unless_carried(Invocation& invocation, const fs::path& bundle, const std::string& key_id);
/// @throws Error{not_a_bundle}
void require_bundle(const fs::path& bundle);
/// @param otherwise what to do on a medium that is mounted read-only
/// @throws Error{not_a_bundle, io_error}
void require_bundle_to_write(const fs::path& bundle, const char* otherwise);

/// Is the folder another one than the document's? Then a signature that is there is not replaced.
enum class OutOfPlace : std::uint8_t { no, yes };

/// Writes FOLDER/signatures/ROLE.KEY.SUFFIX and an entry "EVENT" to the audit log.
/// @param root may the key sign? With none there is a warning.
/// @return file, role, key_id and digest of the document, for people and programs
/// @throws Error{immutable}, what require_listed throws, and those of open_signer
Json sign_beside(Invocation& invocation, const fs::path& folder, std::string_view document, Role role,
                 const SigningKey& key, const std::optional<TrustRoot>& root, const std::string& event,
                 OutOfPlace out_of_place = OutOfPlace::no);

}  // namespace liftlock
