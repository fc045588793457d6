// Inside of audit: a moment of the log, as readers see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit_log.hpp"
#include "audit/compact_range.hpp"
#include "audit/journal.hpp"

namespace liftlock {

/// Bytes of a bundle of entries at most.
constexpr std::uint64_t k_max_bundle = k_tile_width * (k_max_entry_bytes + 2);

/// A moment of the log that can be read without any lock: full tiles never change, the rest is copied here.
struct AuditSnapshot {
  fs::path folder;
  JournalState state;

  std::uint64_t size() const { return state.size(); }
  std::vector<TreeHash> tile(int level, std::uint64_t number) const;
  ReadTile reader() const;
  /// Up to 256 entries. @throws Error{audit_broken}
  std::vector<std::string> bundle(std::uint64_t number) const;
  /// The partial tiles and the partial entry bundle: path below the folder, content.
  std::vector<std::pair<std::string, std::string>> partial_files() const;
  /// Does the journal still hold what makes this tile? Then its file may not have been written yet.
  bool derives(const FullTile& tile) const;
};

/// The text of a tile, and of entries [begin, end) as a bundle.
std::string tile_bytes(const std::vector<TreeHash>& hashes);
std::string bundle_bytes(const std::vector<std::string>& entries, std::size_t begin, std::size_t end);

/// nullopt when it is not there.
std::optional<std::string> read_if_exists(const fs::path& path, std::uint64_t max_bytes);

}  // namespace liftlock
