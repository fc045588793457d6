#include "bundle/lock.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>
#include <utility>

#include "artifact/artifact_lines.hpp"
#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_lock = 256u << 20;
constexpr std::size_t k_max_entries = 10'000;
constexpr std::size_t k_max_notes = 10'000;
constexpr std::size_t k_max_text = 4096;
constexpr int k_max_depth = 32;
constexpr std::string_view k_where = "liftlock.lock";

std::string text_of(const Json& object, std::string_view key) {
  auto text = string_member(object, key, k_where);
  if (text.size() > k_max_text) fail(ErrorCode::limit_exceeded, "'{}' is longer than {} bytes", key, k_max_text);
  return text;
}

void write(JsonText& out, const LockedEntry& entry) {
  out.begin_object().key("artifacts").begin_array();
  for (const auto& artifact : entry.artifacts) write_artifact(out, artifact);
  out.end_array().key("declared").text(entry.declared.text()).key("name").text(entry.name);
  out.key("notes").begin_array();
  for (const auto& note : entry.notes) out.text(note);
  out.end_array().key("table").text(entry.table).end_object();
}

/// Gives each artifact the files that were cut out of it, in turn: as JSON they would need many times the room.
class CutFiles {
 public:
  explicit CutFiles(const CutText& text) : m_text(text) {}

  Artifact artifact_of(const Json& rest) {
    if (m_artifact == m_text.arrays.size()) fail_form();
    const auto& files = m_text.arrays[m_artifact++];
    std::size_t next = 0;
    return artifact_from_parts(rest, files.size(), [&](std::string_view where) {
      return parse_artifact_file(files[next++], {.max_bytes = k_max_lock, .max_depth = k_max_depth - 6}, where);
    });
  }
  void finish() const {
    if (m_artifact != m_text.arrays.size()) fail_form();
  }

 private:
  [[noreturn]] static void fail_form() { fail(ErrorCode::schema_violation, "an artifact's files are not an array"); }

  const CutText& m_text;
  std::size_t m_artifact = 0;
};

LockedEntry entry_from_json(const Json& json, CutFiles& files) {
  only_members(json, {"table", "name", "declared", "artifacts", "notes"}, k_where);
  LockedEntry entry{.table = text_of(json, "table"),
                    .name = text_of(json, "name"),
                    .declared = Digest::parse(string_member(json, "declared", k_where)),
                    .artifacts = {},
                    .notes = {}};
  for (const auto& artifact : array_member(json, "artifacts", k_where)) {
    entry.artifacts.push_back(files.artifact_of(artifact));
    const auto count = entry.artifacts.size();
    if (count > 1 && entry.artifacts[count - 2].id() >= entry.artifacts[count - 1].id()) {
      fail(ErrorCode::schema_violation, "the artifacts of {} are not sorted by id", printable(entry.where()));
    }
  }
  const auto& notes = array_member(json, "notes", k_where);
  if (notes.size() > k_max_notes) fail(ErrorCode::limit_exceeded, "{} notes in one entry", notes.size());
  for (const auto& note : notes) {
    if (!note.is_string()) fail(ErrorCode::schema_violation, "a note must be a string");
    entry.notes.push_back(note.get<std::string>());
  }
  return entry;
}

/// @param content the digest of the rest; empty: not yet known
std::string write(JsonText::Style style, const Lock& lock, const std::string& content) {
  JsonText out(style);
  out.begin_object().key("channel").text(lock.channel);
  if (!content.empty()) out.key("content").text(content);
  out.key("entries").begin_array();
  for (const auto& entry : lock.entries) write(out, entry);
  out.end_array().key("format").text(k_lock_format).key("platform").text(lock.platform);
  out.key("stack").text(lock.stack).end_object();
  return out.take();
}

Lock lock_from_json(const Json& json, CutFiles files) {
  const auto format = string_member(json, "format", k_where);
  if (format != k_lock_format) {
    if (format.starts_with("liftlock.lock/")) fail(ErrorCode::too_new, "its format is '{}'", printable(format));
    fail(ErrorCode::schema_violation, "its format is '{}'", printable(format));
  }
  only_members(json, {"format", "stack", "channel", "platform", "entries", "content"}, k_where);
  Lock lock{.stack = text_of(json, "stack"),
            .channel = text_of(json, "channel"),
            .platform = text_of(json, "platform"),
            .entries = {}};
  const auto& entries = array_member(json, "entries", k_where);
  if (entries.size() > k_max_entries) fail(ErrorCode::limit_exceeded, "{} entries", entries.size());
  for (const auto& item : entries) {
    auto entry = entry_from_json(item, files);
    if (!lock.entries.empty()) {
      const auto& last = lock.entries.back();
      if (std::tie(last.table, last.name) >= std::tie(entry.table, entry.name)) {
        fail(ErrorCode::schema_violation, "the entries are not sorted, or {} stands there twice",
             printable(entry.where()));
      }
    }
    lock.entries.push_back(std::move(entry));
  }
  files.finish();
  return lock;
}

Lock lock_from_text(std::string_view text) {
  constexpr JsonLimits limits{.max_bytes = k_max_lock, .max_depth = k_max_depth};
  constexpr std::array<std::string_view, 3> k_files = {"entries", "artifacts", "files"};
  const auto parts = text.size() <= limits.max_bytes ? cut_arrays(text, k_files) : std::nullopt;
  if (parts) return lock_from_json(parse_json(parts->rest, limits), CutFiles(*parts));
  parse_json(text, limits);  // says what is wrong
  fail(ErrorCode::schema_violation, "it is not in its one form");
}

/// Two files that cannot stand in one folder tree, on any file system that a bundle may cross.
class PathCheck {
 public:
  /// @param file outlives the check
  void add(const ArtifactFile& file) {
    const auto [other, is_new] = m_folded.emplace(file.path.case_folded(), &file);
    if (is_new) {
      m_files.push_back(&*other);
    } else if (other->second->path != file.path) {
      fail(ErrorCode::path_collision, "'{}' and '{}' differ in case only", other->second->path.text(),
           file.path.text());
    } else if (other->second->digest != file.digest) {
      fail(ErrorCode::path_collision, "'{}' stands for two different files", file.path.text());
    }
  }

  /// Once all are in: no file's path is a folder of another.
  void finish() const {
    std::string_view checked;  // the folder of the file before, which mostly is that of the next one
    for (const auto* file : m_files) {
      const std::string_view folded = file->first;
      const auto end = std::min(folded.rfind('/'), folded.size());
      if (end == folded.size() || folded.substr(0, end) == checked) continue;
      checked = folded.substr(0, end);
      for (auto slash = folded.find('/'); slash != std::string::npos; slash = folded.find('/', slash + 1)) {
        if (const auto above = m_folded.find(std::string(folded.substr(0, slash))); above != m_folded.end()) {
          fail(ErrorCode::path_collision, "'{}' is a file and the folder of '{}'", above->second->path.text(),
               file->second->path.text());
        }
      }
    }
  }

 private:
  using Files = std::unordered_map<std::string, const ArtifactFile*>;
  Files m_folded;
  std::vector<const Files::value_type*> m_files;  ///< as they came
};

bool has_same_files(const Artifact& a, const Artifact& b) {
  return std::equal(a.files.begin(), a.files.end(), b.files.begin(), b.files.end(), [](const auto& x, const auto& y) {
    return x.path == y.path && x.size == y.size && x.digest == y.digest;
  });
}

/// The first file that one of them has and the other has not, or has otherwise.
std::pair<std::string, std::string> different_files(const Artifact& a, const Artifact& b) {
  const auto at = std::mismatch(
      a.files.begin(), a.files.end(), b.files.begin(), b.files.end(),
      [](const auto& x, const auto& y) { return x.path == y.path && x.size == y.size && x.digest == y.digest; });
  const auto shown = [](const Artifact& artifact, auto file) {
    return file == artifact.files.end()
               ? std::string("nothing")
               : fmt::format("{} (sha256:{}…)", file->path.text(), file->digest.hex().substr(0, 12));
  };
  return {shown(a, at.first), shown(b, at.second)};
}

}  // namespace

std::string LockedEntry::where() const {
  return fmt::format("[{}.{}]", table, name);
}

const LockedEntry* Lock::find(std::string_view table, std::string_view name) const {
  for (const auto& entry : entries) {
    if (entry.table == table && entry.name == name) return &entry;
  }
  return nullptr;
}

std::string write_lock(const Lock& lock) {
  return write(JsonText::Style::document, lock, sha256(write(JsonText::Style::line, lock, "")).text());
}

LockFile parse_lock_file(std::string_view text) {
  try {
    auto lock = lock_from_text(text);
    if (write_lock(lock) != text) {
      fail(ErrorCode::schema_violation, "its content does not have the digest that stands in it, or not its one form");
    }
    check_artifacts(lock);
    return {std::move(lock), sha256(text)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::too_new) throw;
    if (text.find("\"liftlock.lock/") == std::string_view::npos && !text.starts_with("{\n  \"channel\"")) {
      throw Error(ErrorCode::lock_invalid, "this is no lock of Liftlock",
                  "name one that `liftlock lock` wrote: liftlock.lock, or NAME.lock beside NAME.toml");
    }
    throw Error(ErrorCode::lock_invalid, fmt::format("the lock is damaged or was edited: {}", error.what()));
  }
}

Lock parse_lock(std::string_view text) {
  return parse_lock_file(text).lock;
}

std::optional<LockFile> read_lock_file_if_exists(const fs::path& file) {
  const auto fd = open_file_if_exists(file, O_RDONLY);
  if (!fd) return std::nullopt;
  return with_context(fmt::format("in {}", printable(file.string())),
                      [&] { return parse_lock_file(read_all(fd->get(), k_max_lock, file.string())); });
}

LockFile read_lock_file(const fs::path& file) {
  auto lock = read_lock_file_if_exists(file);
  if (!lock) fail(ErrorCode::lock_missing, "there is no lock '{}'", printable(file.string()));
  return std::move(*lock);
}

std::optional<Lock> read_lock_if_exists(const fs::path& file) {
  auto lock = read_lock_file_if_exists(file);
  if (!lock) return std::nullopt;
  return std::move(lock->lock);
}

Lock read_lock(const fs::path& file) {
  return read_lock_file(file).lock;
}

void check_artifacts(const Lock& lock) {
  std::unordered_map<std::string, const Artifact*> by_id;
  PathCheck paths;
  for (const auto& entry : lock.entries) {
    for (const auto& artifact : entry.artifacts) {
      with_context("in " + printable(entry.where()), [&] {
        const auto [known, is_new] = by_id.emplace(artifact.id(), &artifact);
        if (!is_new && !has_same_files(*known->second, artifact)) {
          const auto [ours, theirs] = different_files(artifact, *known->second);
          fail(ErrorCode::path_collision, "{} has other files than in another entry: {} here, {} there",
               printable(artifact.id()), ours, theirs);
        }
        for (const auto& file : artifact.files) paths.add(file);
      });
    }
  }
  paths.finish();
}

std::vector<Artifact> artifacts_of(const Lock& lock) {
  check_artifacts(lock);
  std::map<std::string, Artifact> by_id;
  for (const auto& entry : lock.entries) {
    for (const auto& artifact : entry.artifacts) {
      const auto [known, is_new] = by_id.try_emplace(artifact.id(), artifact);
      if (is_new) continue;
      std::set<std::string> needs(known->second.needs.begin(), known->second.needs.end());
      needs.insert(artifact.needs.begin(), artifact.needs.end());
      known->second.needs.assign(needs.begin(), needs.end());
    }
  }
  std::vector<Artifact> out;
  for (auto& [id, artifact] : by_id) out.push_back(std::move(artifact));
  return out;
}

}  // namespace liftlock
