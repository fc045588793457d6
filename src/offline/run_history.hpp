// What earlier runs of the same command in the same folder took: the first and the last one, below the user's cache.
// Format: docs/formats/offline.md.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "offline/run.hpp"
#include "os/file.hpp"

namespace liftlock::offline {

struct RunRecord {
  Timestamp started;
  double seconds = 0;
  int status = 0;
  std::uint64_t attempts = 0;
  std::uint64_t connections = 0, hits = 0, misses = 0, received = 0;
};
RunRecord record_of(const RunResult& result, Timestamp started);

struct RunHistory {
  std::optional<RunRecord> first, last;
};

/// XDG_CACHE_HOME/liftlock/builds, or ~/.cache/…; nullopt where neither is known.
std::optional<fs::path> history_folder();

/// The file of this command in this folder, below `folder`.
fs::path history_file(const fs::path& folder, const std::vector<std::string>& command, const fs::path& working_folder);

/// Empty where there is none, and where it is not one of ours.
RunHistory read_history(const fs::path& file);
RunHistory parse_history(std::string_view text);
/// Adds the run to what is there. @throws Error where it cannot be written
void add_to_history(const fs::path& file, const RunHistory& before, const RunRecord& run,
                    const std::vector<std::string>& command, const fs::path& working_folder);

}  // namespace liftlock::offline
