// Key files as people name them on the command line.
#pragma once

#include <optional>
#include <string>

#include "crypto/key.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// The first line of a file. @throws Error{passphrase} when it is empty
std::string read_passphrase(const fs::path& file);
/// Takes the passphrase of an encrypted key from the file, or asks on the terminal.
/// @throws Error{key_missing, passphrase, schema_violation}
PrivateKey load_private_key(const fs::path& file, const std::optional<fs::path>& passphrase_file);
/// The public key of a .pub file, or the public half of an unencrypted private key file.
PublicKey load_public_key(const fs::path& file);
/// What a root statement says about a key: a file as above, or "gpg:FINGERPRINT" from the user's keyring.
/// @param owner empty: the name of the file, or the user id
TrustedKey describe_key(const std::string& key, Role role, std::string owner);

}  // namespace liftlock
