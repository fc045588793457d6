#include "offline/run_history.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"

namespace liftlock::offline {
namespace {

constexpr std::string_view k_format = "liftlock-offline-runs/1";
constexpr std::uint64_t k_max_file = 1u << 20;
constexpr std::string_view k_where = "the history of builds";

Json to_json(const RunRecord& run) {
  return {{"started", format_time(run.started)},
          {"milliseconds", static_cast<std::uint64_t>(run.seconds * 1000)},
          {"status", run.status},
          {"attempts", run.attempts},
          {"connections", run.connections},
          {"hits", run.hits},
          {"misses", run.misses},
          {"received", run.received}};
}

RunRecord from_json(const Json& json) {
  return {.started = parse_time(string_member(json, "started", k_where)),
          .seconds = static_cast<double>(uint_member(json, "milliseconds", k_where)) / 1000,
          .status = static_cast<int>(uint_member(json, "status", k_where)),
          .attempts = uint_member(json, "attempts", k_where),
          .connections = uint_member(json, "connections", k_where),
          .hits = uint_member(json, "hits", k_where),
          .misses = uint_member(json, "misses", k_where),
          .received = uint_member(json, "received", k_where)};
}

}  // namespace

RunRecord record_of(const RunResult& result, Timestamp started) {
  return {.started = started,
          .seconds = result.seconds,
          .status = result.status,
          .attempts = result.attempts.total(),
          .connections = result.mirror.connections,
          .hits = result.mirror.hits,
          .misses = result.mirror.misses,
          .received = result.mirror.received};
}

std::optional<fs::path> history_folder() {
  const auto variable = [](const char* name) -> std::optional<fs::path> {
    const char* value = std::getenv(name);
    if (value == nullptr || value[0] != '/') return std::nullopt;
    return fs::path(value);
  };
  if (const auto cache = variable("XDG_CACHE_HOME")) return *cache / "liftlock" / "builds";
  if (const auto home = variable("HOME")) return *home / ".cache" / "liftlock" / "builds";
  return std::nullopt;
}

fs::path history_file(const fs::path& folder, const std::vector<std::string>& command, const fs::path& working_folder) {
  std::string text = working_folder.string();
  for (const auto& word : command) text += '\0' + word;
  return folder / (sha256(text).hex() + ".json");
}

RunHistory parse_history(std::string_view text) {
  RunHistory out;
  try {
    const auto json = parse_json(text, {.max_bytes = k_max_file, .max_depth = 8});
    if (string_member(json, "format", k_where) != k_format) return {};
    out.first = from_json(object_member(json, "first", k_where));
    out.last = from_json(object_member(json, "last", k_where));
  } catch (const Error&) {
    return {};
  }
  return out;
}

RunHistory read_history(const fs::path& file) {
  try {
    return parse_history(read_file(file, k_max_file));
  } catch (const Error&) {
    return {};
  }
}

void add_to_history(const fs::path& file, const RunHistory& before, const RunRecord& run,
                    const std::vector<std::string>& command, const fs::path& working_folder) {
  Json words = Json::array();
  for (const auto& word : command) words.push_back(printable(word));
  make_folders(file.parent_path());
  write_file_atomically(file,
                        dump_json({{"format", k_format},
                                   {"command", words},
                                   {"folder", printable(working_folder.string())},
                                   {"first", to_json(before.first.value_or(run))},
                                   {"last", to_json(run)}}),
                        0600);
}

}  // namespace liftlock::offline
