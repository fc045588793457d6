#include "engine/engine_files.hpp"

#include <fcntl.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "engine/package_reader.hpp"
#include "os/parallel.hpp"

namespace liftlock::engine {
namespace {

constexpr std::string_view k_format = "liftlock.engine-files/1";
constexpr std::string_view k_manifest = "engine.json";
constexpr std::string_view k_link = "-> ";
constexpr std::uint64_t k_max_list = 64u << 20;
constexpr std::size_t k_max_files = 200'000;

[[noreturn]] void refuse(const InstalledEngine& engine, std::string_view why) {
  const auto name = printable(full_name(engine));
  throw Error(ErrorCode::blob_corrupt, fmt::format("the engine {} is not what was installed: {}", name, why),
              fmt::format("find out who changed it, then install it anew: liftlock engine remove {} --force, liftlock "
                          "engine install {}",
                          name, printable(engine.manifest.name)));
}

/// The exact bytes of the list.
std::string list_of(const InstalledEngine& engine) {
  const auto file = open_file_if_exists(engine.folder / k_files_file, O_RDONLY | O_NOFOLLOW);
  if (!file) {
    refuse(engine,
           "the list of its files is gone, or was never written: versions of Liftlock before 2026-12 wrote none");
  }
  return read_all(file->get(), k_max_list, k_files_file);
}

/// The newest entry about it, and whether it was removed after that.
std::optional<AuditEntry> installation_of(const InstalledEngine& engine, const AuditLog& log) {
  const auto name = full_name(engine);
  const auto found = log.find_last(k_files_event, name);
  const auto is_later = [&](const AuditEntry& entry) {
    return entry.event.outcome == Outcome::success && entry.index > found->index;
  };
  if (found && log.find_last("engine.remove", name, is_later))
    refuse(engine, "the audit log has it as removed, and somebody put it back");
  return found;
}

/// Whoever can change a file of the engine can change the list beside it, but not the log. One that is damaged is an
/// alarm of its own, and takes engines from nobody (docs/decisions/damaged-log.md).
void require_logged(const InstalledEngine& engine, const AuditLog& log, const Digest& list) try {
  const auto found = installation_of(engine, log);
  if (!found) refuse(engine, "the audit log knows nothing of its installation");
  const auto entry = log.read_proven(found->index);
  if (parse_json(entry.event.detail).value("files", "") != list.text())
    refuse(engine, "the list of its files is another than the audit log has of its installation");
} catch (const Error& error) {
  if (error.code() != ErrorCode::audit_broken) throw;
}

/// A file or link that lies where the list has it, or a folder.
struct FoundFile {
  std::string path;
  std::string digest;  ///< hex; empty for a link, whose target was compared, and a folder
  FileState state;
};

/// The sandbox shows usr/ and nothing else; engine.json says what of it is started.
std::vector<FoundFile> find_files(const InstalledEngine& engine, const EngineFiles& list) {
  std::vector<FoundFile> out;
  std::set<std::string_view> missing;
  for (const auto& [path, what] : list) {
    if (path == k_manifest || path.starts_with("usr/")) missing.insert(path);
  }
  const auto take = [&](const std::string& path, const struct stat& status) {
    const auto listed = list.find(path);
    if (listed == list.end()) refuse(engine, fmt::format("'{}' does not belong to it", printable(path)));
    const bool is_link = listed->second.starts_with(k_link);
    const bool is_right = is_link ? S_ISLNK(status.st_mode) && fs::read_symlink(engine.folder / path).string() ==
                                                                   listed->second.substr(k_link.size())
                                  : S_ISREG(status.st_mode);
    if (!is_right) refuse(engine, fmt::format("'{}' is something else now", printable(path)));
    missing.erase(path);
    out.push_back({path, is_link ? std::string() : listed->second, state_of(status)});
  };
  struct stat manifest {};
  if (::lstat((engine.folder / k_manifest).c_str(), &manifest) == 0) take(std::string(k_manifest), manifest);
  std::set<fs::path> folders;
  for (const auto& entry : walk(engine.folder / "usr", k_max_files)) {
    const auto path = "usr/" + entry.path;
    if (S_ISDIR(entry.status.st_mode)) {
      folders.insert(path);
    } else {
      take(path, entry.status);
    }
    for (auto above = fs::path(path).parent_path(); !above.empty() && folders.insert(above).second;)
      above = above.parent_path();
  }
  // Who adds a file and takes it away again touches a folder.
  for (const auto& folder : folders) {
    struct stat status {};
    if (::lstat((engine.folder / folder).c_str(), &status) == 0) out.push_back({folder.string(), {}, state_of(status)});
  }
  if (!missing.empty()) refuse(engine, fmt::format("'{}' is gone", printable(*missing.begin())));
  return out;
}

void hash_files(const InstalledEngine& engine, const std::vector<FoundFile>& files) {
  parallel_for(files.size(), [&](std::size_t i) {
    const auto& one = files[i];
    if (one.digest.empty()) return;
    const auto file = open_file(engine.folder / one.path, O_RDONLY | O_NOFOLLOW);
    const auto digest = sha256_of_file(file.get(), one.path);
    if (digest.hex() != one.digest) {
      refuse(engine, fmt::format("'{}' has the SHA-256 {} instead of {}", printable(one.path), digest.hex(),
                                 printable(one.digest)));
    }
    if (state_of(stat_of(file.get(), one.path)) != one.state)
      refuse(engine, fmt::format("'{}' was changed while it was checked", printable(one.path)));
  });
}

std::vector<FileState> states_of(const std::vector<FoundFile>& files) {
  std::vector<FileState> out;
  for (const auto& one : files) out.push_back(one.state);
  return out;
}

}  // namespace

EngineFiles files_of_package(int tar_fd) {
  EngineReader reader(tar_fd);
  EngineFiles out = {{std::string(k_manifest), sha256(reader.manifest_text()).hex()}};
  std::vector<std::uint8_t> buffer(1u << 20);
  Member member;
  while (reader.next(member)) {
    if (member.type == MemberType::symlink) out[member.path] = std::string(k_link) + member.target;
    if (member.type != MemberType::file) continue;
    Hasher hasher;
    while (const auto got = reader.read(buffer)) hasher.update(std::span(buffer.data(), got));
    out[member.path] = hasher.finish().hex();
  }
  return out;
}

std::string encode_files(const EngineFiles& files) {
  return dump_json({{"format", k_format}, {"files", files}});
}

EngineFiles parse_files(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_list, .max_depth = 8});
  only_members(json, {"format", "files"}, k_files_file);
  if (string_member(json, "format", k_files_file) != k_format)
    fail(ErrorCode::too_new, "{}: its format is not '{}'", k_files_file, k_format);
  EngineFiles out;
  for (const auto& [path, what] : object_member(json, "files", k_files_file).items()) {
    if (!what.is_string()) fail(ErrorCode::schema_violation, "{}: '{}' is no string", k_files_file, printable(path));
    out[path] = what.get<std::string>();
  }
  return out;
}

AuditEvent files_event(const std::string& full_name, std::string_view list, const std::string& actor) {
  return {.type = std::string(k_files_event),
          .actor = actor,
          .outcome = Outcome::success,
          .subject = full_name,
          .detail = dump_json_line({{"files", sha256(list).text()}})};
}

bool has_list(const InstalledEngine& engine) {
  std::error_code ignored;
  return fs::is_regular_file(fs::symlink_status(engine.folder / k_files_file, ignored));
}

CheckedEngine EngineChecks::require(const InstalledEngine& engine, const AuditLog& log, bool recheck) {
  const auto text = list_of(engine);
  const auto list = sha256(text);
  std::optional<CheckedEngine> known;
  {
    const std::lock_guard lock(m_mutex);
    const auto found = m_known.find(engine.folder);
    if (found != m_known.end() && found->second.list == list) known = found->second;
  }
  if (!known) require_logged(engine, log, list);
  const auto files = find_files(engine, parse_files(text));
  CheckedEngine out{.list = list, .states = states_of(files)};
  out.untouched = !recheck && known && known->states == out.states;
  if (!out.untouched) hash_files(engine, files);
  const std::lock_guard lock(m_mutex);
  m_known.insert_or_assign(engine.folder, out);
  return out;
}

void check_again(const InstalledEngine& engine, const CheckedEngine& checked) {
  const auto text = list_of(engine);
  if (sha256(text) != checked.list) refuse(engine, "the list of its files was changed");
  // What was changed and changed back has its bytes again, and not its times.
  if (states_of(find_files(engine, parse_files(text))) != checked.states)
    refuse(engine, "something of it was touched while it started");
}

}  // namespace liftlock::engine
