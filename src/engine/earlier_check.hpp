// What earlier loads found of a model's bytes, as the audit log has it. An entry model.load of a load that hashed every
// byte holds, for each file, the SHA-256 that the builder signed, the fs-verity digest of the same bytes, and the
// file's identity. Later loads of the same model lean on it: on the digest, which all cores can compute together, or,
// where policy says so, on the identity.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "artifact/artifact.hpp"
#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "os/file.hpp"

namespace liftlock::engine {

/// A file as it was when it was hashed; ctime cannot be set back.
struct FileState {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime_ns = 0, ctime_ns = 0;
  bool operator==(const FileState&) const = default;
};
FileState state_of(const struct stat& status);

struct EarlierCheck {
  std::uint64_t entry = 0;     ///< of the log
  std::vector<Digest> verity;  ///< of each file, in the artifact's order
  std::vector<FileState> states;
};

/// @param hints file that says which entry to look at. Whoever can write it can point to another entry, and entries are
///        proven and compared with the artifact; where it is lost, nothing is found
std::optional<EarlierCheck> find_earlier_check(const AuditLog& log, const fs::path& hints, const Artifact& artifact);
/// Best effort.
void keep_earlier_check(const fs::path& hints, const Artifact& artifact, std::uint64_t entry);

/// Member "files" of an entry; empty for more files than fit there, on which no load can lean.
Json files_json(const Artifact& artifact, const std::vector<Digest>& verity, const std::vector<FileState>& states);

}  // namespace liftlock::engine
