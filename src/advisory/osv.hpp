// Records of known vulnerabilities in the OSV format: https://ossf.github.io/osv-schema/ (1.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::advisory {

enum class Event : std::uint8_t { introduced, fixed, last_affected };

struct VersionEvent {
  Event event;
  std::string version;  ///< "0" with introduced: from the first one on
};

/// Versions between events; of the types SEMVER and ECOSYSTEM (commits of a git repository say nothing of packages).
struct VersionRange {
  std::vector<VersionEvent> events;  ///< in the record's order
};

struct AffectedPackage {
  std::string ecosystem;  ///< "PyPI", "npm", "Debian:12"
  std::string name;       ///< as the ecosystem's records write it
  std::vector<VersionRange> ranges;
  std::vector<std::string> versions;  ///< these, whatever the ranges say
};

struct Advisory {
  std::string id;  ///< "GHSA-…", "PYSEC-…", "DSA-…"
  std::vector<std::string> aliases;
  std::vector<std::string> upstream;  ///< what a distributor's record is about: it may fix several at once
  std::string summary;                ///< one line, printable; may be empty
  std::string severity;  ///< "critical", "high", "medium", "low", "none"; empty when the record does not say
  std::string modified;  ///< RFC 3339, as written
  bool withdrawn = false;
  std::vector<AffectedPackage> affected;
};

inline constexpr std::size_t k_max_record = 16u << 20;

/// One record; what this program does not need of it is not looked at. At most 16 MiB.
/// @throws Error{json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
Advisory parse_osv(std::string_view json);

/// The word for a CVSS 3 base score, computed from its vector ("CVSS:3.1/AV:N/…"); empty for what is none.
/// https://www.first.org/cvss/v3.1/specification-document, section 7
std::string severity_of_cvss(std::string_view vector);

}  // namespace liftlock::advisory
