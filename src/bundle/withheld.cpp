#include "bundle/withheld.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "bundle/signatures.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_format = "liftlock.withheld/1";
constexpr std::string_view k_where = "withheld.json";
constexpr std::uint64_t k_reader = 1;
constexpr std::size_t k_max_files = 100'000;
constexpr std::size_t k_max_text = 1024;
constexpr std::uint64_t k_max_bytes = 256u << 20;

Json digests(const Digest& digest) {
  return {{"sha256", digest.hex()}};
}

Digest digest_of(const Json& object) {
  return Digest::parse_sha256_hex(string_member(object_member(object, "digests", k_where), "sha256", k_where));
}

std::string short_text(const Json& object, std::string_view key) {
  auto text = string_member(object, key, k_where);
  if (text.size() > k_max_text) {
    fail(ErrorCode::limit_exceeded, "{}: '{}' is longer than {}", k_where, key, k_max_text);
  }
  return text;
}

}  // namespace

std::string write_withheld(const Withheld& withheld) {
  auto files = Json::array();
  for (const auto& file : withheld.files) {
    files.push_back({{"path", file.path.text()}, {"digests", digests(file.digest)}, {"reason", file.reason}});
  }
  return dump_json({{"format", k_format},
                    {"min_reader", 1},
                    {"bundle", {{"digests", digests(withheld.bundle)}}},
                    {"creator", withheld.creator},
                    {"created", format_time(withheld.created)},
                    {"files", std::move(files)}});
}

Withheld parse_withheld(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = k_max_bytes, .max_depth = 4});
  const auto format = string_member(json, "format", k_where);
  const auto needed = uint_member(json, "min_reader", k_where);
  if (format != k_format || needed > k_reader) {
    fail(ErrorCode::too_new, "{} is of the format '{}' and needs reader {}", k_where, printable(format), needed);
  }
  Withheld out{.bundle = digest_of(object_member(json, "bundle", k_where)),
               .creator = short_text(json, "creator"),
               .created = parse_time(string_member(json, "created", k_where)),
               .files = {}};
  const auto& files = array_member(json, "files", k_where);
  if (files.size() > k_max_files) fail(ErrorCode::limit_exceeded, "{}: {} files", k_where, files.size());
  for (const auto& file : files) {
    out.files.push_back(
        {RelPath::parse(string_member(file, "path", k_where)), digest_of(file), short_text(file, "reason")});
  }
  const auto unsorted = std::adjacent_find(out.files.begin(), out.files.end(),
                                           [](const auto& a, const auto& b) { return !(a.path < b.path); });
  if (out.files.empty() || unsorted != out.files.end()) {
    fail(ErrorCode::schema_violation, "{}: 'files' must be sorted by path, each once, and not empty", k_where);
  }
  return out;
}

std::optional<CarriedWithheld> read_withheld(const fs::path& bundle) {
  const auto folder = bundle / k_withheld_folder;
  const auto file = bundle / k_withheld_path;
  if (!fs::exists(fs::symlink_status(folder)) || !fs::exists(fs::symlink_status(file))) return std::nullopt;
  if (!fs::is_directory(fs::symlink_status(folder)) || !fs::is_regular_file(fs::symlink_status(file))) {
    fail(ErrorCode::not_regular, "'{}' is no regular file", k_withheld_path);
  }
  auto text = read_file(file, k_max_bytes);
  auto withheld = parse_withheld(text);
  return CarriedWithheld{std::move(withheld), std::move(text), read_signatures(folder)};
}

void check_withheld(const Withheld& withheld, const BundleReader& bundle) {
  if (withheld.bundle != bundle.digest()) {
    fail(ErrorCode::withheld_invalid, "{} speaks of the bundle {}, and this is {}", k_withheld_path,
         withheld.bundle.text(), bundle.digest().text());
  }
  const auto& files = bundle.files();
  for (const auto& file : withheld.files) {
    const auto found = std::lower_bound(files.begin(), files.end(), file.path,
                                        [](const auto& entry, const auto& path) { return entry.path < path; });
    if (found == files.end() || found->path != file.path || found->digest != file.digest || found->artifacts.empty()) {
      fail(ErrorCode::withheld_invalid, "{}: the bundle carries no such file of an artifact: '{}'", k_withheld_path,
           file.path.text());
    }
  }
}

std::vector<JudgedSignature> require_scanner(const CarriedWithheld& carried, const TrustRoot& root, Timestamp when) {
  auto asked = root;
  asked.thresholds.try_emplace(Role::scanner, 1);
  auto judged = judge(carried.text, carried.signatures, asked, when, {Role::scanner});
  with_context(fmt::format("of {}", k_withheld_path), [&] { require_thresholds(judged, asked, {Role::scanner}); });
  return judged;
}

std::set<RelPath> paths_of(const Withheld& withheld) {
  std::set<RelPath> paths;
  for (const auto& file : withheld.files) paths.insert(file.path);
  return paths;
}

Landing judge_landing(const std::vector<Artifact>& artifacts, const std::set<RelPath>& withheld) {
  std::map<std::string, std::string> why;  // by id
  std::map<std::string, std::vector<std::string>> users;
  std::vector<std::string> to_follow;
  for (const auto& artifact : artifacts) {
    const auto id = artifact.id();
    for (const auto& need : artifact.needs) users[need].push_back(id);
    for (const auto& file : artifact.files) {
      if (!withheld.contains(file.path) || !why.emplace(id, fmt::format("'{}' is withheld", file.path.text())).second) {
        continue;
      }
      to_follow.push_back(id);
    }
  }
  while (!to_follow.empty()) {
    const auto id = std::move(to_follow.back());
    to_follow.pop_back();
    for (const auto& user : users[id]) {
      if (why.emplace(user, fmt::format("it needs {}", id)).second) to_follow.push_back(user);
    }
  }
  Landing out;
  for (const auto& artifact : artifacts) {
    if (!why.contains(artifact.id())) out.artifacts.push_back(artifact);
  }
  for (const auto& [id, reason] : why) out.left.push_back(fmt::format("{}: {}", id, reason));
  return out;
}

}  // namespace liftlock
