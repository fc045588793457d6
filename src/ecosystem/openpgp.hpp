// Low side: OpenPGP keys and signatures of upstreams, checked by gpgv against the named keys only (RFC 4880, RFC 9580).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

/// What gpgv can read: armored keyrings become binary. @throws Error{config_invalid} naming `where`
std::string binary_keyring(std::string_view bytes, const std::string& where);

/// The keys that count.
struct Keyring {
  std::string bytes;  ///< binary
  std::string name;   ///< of the file that the user wrote: for messages
};

/// Checks a detached signature, armored or binary, of a file. At least one signature must be good; one that is bad
/// refuses the file, one by a key that the keyring lacks is passed over. SHA-1 signatures do not count.
/// @param scratch an existing folder for gpgv's files
/// @return the fingerprints of the primary keys of the good signatures
/// @throws Error{release_unsigned, tool_missing}; where only other keys signed, it names them and those of the keyring
std::vector<std::string> verify_detached(const std::filesystem::path& document, std::string_view signature,
                                         const Keyring& keyring, const std::filesystem::path& scratch,
                                         const std::string& where);

}  // namespace liftlock
