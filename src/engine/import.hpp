// An engine package that no bundle brought: a file that an operator carries in. It is believed for the digest that was
// announced for it, or for a signed list of digests beside it.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "trust/trust.hpp"

namespace liftlock::engine {

/// A copy that nobody else can change between its check and its use.
struct PrivateCopy {
  UniqueFd file;
  Digest digest;
};
/// Copies and hashes at once. @param folder for the copy, which has no name there
/// @param reserve bytes of that folder's disk that stay free, for nobody vouched for the source yet
/// @throws Error{not_found, not_regular, limit_exceeded, disk_full}
PrivateCopy copy_privately(const fs::path& source, const fs::path& folder, std::uint64_t reserve);

/// The signatures beside FILE: FILE.sha256.asc, FILE.sha256.sigstore.json, or with another word before these endings.
std::vector<SignatureFile> import_signatures(const fs::path& file);

/// Is the digest of what will be used the announced one? @throws Error{digest_mismatch}
void require_announced(const Digest& actual, const Digest& announced, const fs::path& file);

/// Does FILE.sha256 (what `sha256sum FILE` prints), signed by as many builders as the root wants, name this digest?
/// @return the ids of the keys that signed it
/// @throws Error{digest_mismatch, unsigned_document, signature_invalid, key_revoked, key_expired, key_unknown,
/// key_role,
///         schema_violation}
std::vector<std::string> require_signed_list(const Digest& actual, const fs::path& file, const TrustRoot& root,
                                             Timestamp when);

}  // namespace liftlock::engine
