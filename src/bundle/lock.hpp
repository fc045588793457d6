// Low side: liftlock.lock, the stack resolved. Format: docs/formats/lock.md, docs/formats/schema/lock.schema.json.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "os/file.hpp"

namespace liftlock {

inline constexpr std::string_view k_lock_format = "liftlock.lock/1";

/// One entry of the stack, resolved.
struct LockedEntry {
  std::string table;
  std::string name;
  Digest declared;                  ///< StackEntry::declared at the time
  std::vector<Artifact> artifacts;  ///< sorted by id
  std::vector<std::string> notes;

  std::string where() const;
  bool operator==(const LockedEntry&) const = default;
};

struct Lock {
  std::string stack;
  std::string channel;
  std::string platform;
  std::vector<LockedEntry> entries;  ///< sorted by table, then name

  const LockedEntry* find(std::string_view table, std::string_view name) const;
  bool operator==(const Lock&) const = default;
};

/// Equal locks give equal bytes.
std::string write_lock(const Lock& lock);
/// Accepts exactly what write_lock writes: one form, its digest right, sorted, no path twice. At most 256 MiB.
/// @throws Error{lock_invalid} for anything else, Error{too_new} for a later format
Lock parse_lock(std::string_view text);
/// @throws Error{lock_missing}, and as parse_lock
Lock read_lock(const fs::path& file);
std::optional<Lock> read_lock_if_exists(const fs::path& file);

/// A lock, and the SHA-256 of its file.
struct LockFile {
  Lock lock;
  Digest digest;
};
/// @throws as read_lock
LockFile read_lock_file(const fs::path& file);
std::optional<LockFile> read_lock_file_if_exists(const fs::path& file);

/// @throws as artifacts_of
void check_artifacts(const Lock& lock);
/// Every artifact once, sorted by id. Entries may share artifacts; what they need is united.
/// @throws Error{path_collision} when two entries have different files under one id, or two files of different content
///         have one path, equal paths but for case, or one path is a folder of the other
std::vector<Artifact> artifacts_of(const Lock& lock);

}  // namespace liftlock
