// Low side: one repository of an entry [rpm.NAME], from its address to lists that were checked. The chain: repomd.xml
// (signed by the entry's keys, or not) → the lists (SHA-2 in repomd.xml).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/openpgp.hpp"
#include "ecosystem/rpm/repository_metadata.hpp"

namespace liftlock::rpm {

struct Repository {
  std::string url;                     ///< ends with '/'
  std::vector<std::string> signed_by;  ///< of repomd.xml; empty: unsigned
  Digest repomd;
  std::optional<std::uint64_t> revision;
  PackageList packages;
  /// Holds repodata/ with the lists, unpacked, as dnf reads them: primary, and filelists where there are some. Without,
  /// no package is found by a path that primary does not have.
  fs::path folder;
  Artifact proof;  ///< what proves the digests of its packages to whoever has the key, without this machine
};

/// @param folder will be made; the lists are unpacked there, and never lie in memory
/// @param notes gets what the operator should know of it
/// @throws Error{stack_invalid, not_found, release_unsigned, replayed, schema_violation, digest_mismatch, …}
Repository load_repository(std::string url, const StackEntry& entry, CollectContext& context, const Keyring& keyring,
                           const fs::path& folder, std::vector<std::string>& notes);

std::string location_url(const std::string& base, const std::string& location);
/// The last component of a location.
std::string file_name_of(const std::string& location);
/// A download whose bytes must have this SHA-256 or SHA-512.
FetchJob job_of(std::string title, const std::string& url, const Digest& digest, std::optional<std::uint64_t> size);

}  // namespace liftlock::rpm
