// What an import leaves behind besides its artifacts: a publication of the channel "import", whose document says what
// was taken in, and who vouched for it. Format: docs/formats/import.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"

namespace liftlock {

inline constexpr std::string_view k_import_event = "import";  ///< of the audit log; its subject is "import/NUMBER"
inline constexpr std::string_view k_import_evidence = "import";

/// Why an import is believed.
enum class Belief : std::uint8_t {
  nobody,     ///< nothing but the medium says so: an unsigned import
  digest,     ///< its digest was announced by another way
  signature,  ///< builders of the pinned trust root signed what lists its files
};
std::string_view name(Belief belief);
std::optional<Belief> parse_belief(std::string_view text);

/// The evidence that every file of an imported artifact carries.
struct ImportEvidence {
  Belief belief = Belief::nobody;
  std::string source;             ///< name of the file or folder
  std::string shape;              ///< "baimodel"
  std::string document;           ///< what the signatures are over, or whose digest was announced; may be empty
  std::vector<std::string> keys;  ///< ids of the keys that signed it
};
Evidence to_evidence(const ImportEvidence& evidence);
/// How an artifact came by `import`; nullopt when a bundle brought it. The weakest of its files counts.
std::optional<Belief> imported_by(const Artifact& artifact);
/// What people see first: "UNSIGNED IMPORT: …"; empty for what nobody has to be warned of.
std::string import_label(const Artifact& artifact);

/// manifest of an import: import.json, its exact bytes.
struct ImportRecord {
  std::string shape;
  std::string source;
  Belief belief = Belief::nobody;
  std::string document;
  std::vector<std::string> keys;
  std::string reason;
  std::string actor;
  Timestamp imported_at;
  std::vector<std::string> artifacts;  ///< ids, sorted
  Digest content;                      ///< of the artifacts as JSON lines, sorted by id
  std::vector<std::string> replaced;   ///< ids whose earlier content went out of use
  /// Of each of `artifacts` as a JSON line, so that one is known when others were withdrawn; empty in older records.
  std::vector<Digest> digests = {};
};
std::string encode_import_record(const ImportRecord& record);
/// @throws Error{json_invalid, schema_violation, too_new}
ImportRecord parse_import_record(std::string_view text);
/// What ImportRecord::content is of.
Digest import_content(const std::vector<Artifact>& artifacts);

/// The highest number that the audit log has of an import; 0: there was none.
std::uint64_t last_import(const AuditLog& log);

}  // namespace liftlock
