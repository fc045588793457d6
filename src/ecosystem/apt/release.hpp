// An InRelease: who signed it, until when it counts, and the digests of the indexes (Debian repository format).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "ecosystem/apt/apt_sources.hpp"
#include "ecosystem/apt/release_date.hpp"
#include "os/file.hpp"

namespace liftlock::apt {

struct IndexFile {
  Digest digest;
  std::uint64_t size = 0;
};

struct Release {
  std::string origin, label, suite, codename;
  std::vector<std::string> architectures, components;
  std::optional<Timestamp> date;
  std::optional<Timestamp> valid_until;
  bool by_hash = false;
  bool all_in_each_architecture = false;  ///< "No-Support-for-Architecture-all: Packages"
  std::map<std::string, IndexFile, std::less<>> files;
};

/// @throws Error{schema_violation, limit_exceeded}
Release parse_release(std::string_view text, const std::string& where);

/// A Packages file is in memory whole while its packages are chosen from: those of Debian and Ubuntu have 60 MB.
inline constexpr std::uint64_t k_max_index = 512u << 20;

/// How many bytes an index may have, unpacked: as many as the Release states, at most k_max_index.
/// @param path "main/binary-amd64/Packages", without the ending of a compression
/// @throws Error{limit_exceeded} where the Release states more
std::uint64_t index_limit(const Release& release, const std::string& path, const std::string& where);

struct VerifiedRelease {
  std::string text;                       ///< exactly what was signed, as gpgv wrote it
  std::vector<std::string> fingerprints;  ///< primary keys of the good signatures
};

/// Checks a clear-signed document with gpgv against this keyring only. At least one signature must be good; one that is
/// bad refuses the document, one by a key that the keyring lacks is passed over. SHA-1 signatures do not count.
/// @param scratch an existing folder for gpgv's files
/// @throws Error{release_unsigned, tool_missing, not_found}
VerifiedRelease verify_inrelease(std::string_view document, const Keyring& keyring, const fs::path& scratch,
                                 const std::string& where);

enum class Freshness : std::uint8_t { current, expired_but_accepted };
/// @param grace how long past Valid-Until is accepted
/// @param when the real time, whatever SOURCE_DATE_EPOCH says
/// @throws Error{release_expired} when Valid-Until passed by more, or Date lies more than a day ahead
Freshness check_freshness(const Release& release, std::chrono::seconds grace, Timestamp when, const std::string& where);

}  // namespace liftlock::apt
