#include "engine/earlier_check.hpp"

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock::engine {
namespace {

constexpr std::size_t k_most_files = 128;
constexpr std::string_view k_verity = "fsverity_sha256";

using Hints = std::map<std::string, std::uint64_t>;

Hints read_hints(const fs::path& file) {
  Hints out;
  try {
    if (!fs::exists(file)) return out;
    const auto hints = parse_json(read_file(file, 4u << 20));
    for (const auto& [key, entry] : hints.items()) {
      if (entry.is_number_unsigned()) out[key] = entry.get<std::uint64_t>();
    }
  } catch (const Error&) {
    out.clear();  // then the builder's digests are computed again
  }
  return out;
}

/// The id may be that of several models; their files are not.
std::string key_of(const Artifact& artifact) {
  std::string key = artifact.id();
  for (const auto& file : artifact.files) key += " " + file.digest.hex();
  return key.size() <= 1024 ? key : artifact.id() + " " + sha256(key).hex();
}

Json state_json(const FileState& state) {
  return {{"device", state.device},
          {"inode", state.inode},
          {"size", state.size},
          {"mtime_ns", state.mtime_ns},
          {"ctime_ns", state.ctime_ns}};
}

EarlierCheck parse_files(std::uint64_t entry, const Json& files, const Artifact& artifact) {
  constexpr std::string_view where = "an audit entry of a load";
  EarlierCheck earlier{.entry = entry, .verity = {}, .states = {}};
  if (!files.is_array() || files.size() != artifact.files.size()) fail(ErrorCode::schema_violation, "{}", where);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    const auto digest = Digest::parse_sha256_hex(string_member(file, "sha256", where));
    if (digest != artifact.files[i].digest) fail(ErrorCode::schema_violation, "{} is of other files", where);
    earlier.verity.push_back(Digest::parse_sha256_hex(string_member(file, k_verity, where)));
    const auto number = [&](const char* key) { return uint_member(file, key, where); };
    earlier.states.push_back({.device = number("device"),
                              .inode = number("inode"),
                              .size = number("size"),
                              .mtime_ns = static_cast<std::int64_t>(number("mtime_ns")),
                              .ctime_ns = static_cast<std::int64_t>(number("ctime_ns"))});
  }
  return earlier;
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

FileState state_of(const struct stat& status) {
  return {.device = status.st_dev,
          .inode = status.st_ino,
          .size = static_cast<std::uint64_t>(status.st_size),
          .mtime_ns = nanoseconds(status.st_mtim),
          .ctime_ns = nanoseconds(status.st_ctim)};
}

std::optional<EarlierCheck> find_earlier_check(const AuditLog& log, const fs::path& hints, const Artifact& artifact) {
  const auto known = read_hints(hints);
  const auto hint = known.find(key_of(artifact));
  if (hint == known.end() || hint->second >= log.size()) return std::nullopt;
  const auto entry = log.read_proven(hint->second);
  if (entry.event.type != "model.load" || entry.event.subject != artifact.id() ||
      entry.event.outcome != Outcome::success)
    return std::nullopt;
  try {
    const auto detail = parse_json(entry.event.detail);
    if (string_member(detail, "check", "an audit entry of a load") != "every-byte") return std::nullopt;
    return parse_files(entry.index, detail.value("files", Json()), artifact);
  } catch (const Error&) {
    return std::nullopt;  // of an older version, or of a load that found other files
  }
}

void keep_earlier_check(const fs::path& hints, const Artifact& artifact, std::uint64_t entry) {
  if (hints.empty()) return;
  try {
    auto known = read_hints(hints);
    known[key_of(artifact)] = entry;
    write_file_atomically(hints, dump_json(known), 0640);
  } catch (const Error&) {
    // The next load computes the builder's digests again.
  }
}

Json files_json(const Artifact& artifact, const std::vector<Digest>& verity, const std::vector<FileState>& states) {
  auto out = Json::array();
  if (states.size() > k_most_files) return out;
  for (std::size_t i = 0; i < states.size(); ++i) {
    auto file = state_json(states[i]);
    file["sha256"] = artifact.files[i].digest.hex();
    file[k_verity] = verity[i].hex();
    out.push_back(std::move(file));
  }
  return out;
}

}  // namespace liftlock::engine
