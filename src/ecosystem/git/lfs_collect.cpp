#include "ecosystem/git/lfs_collect.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/git/lfs_server.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::git {
namespace {

constexpr std::size_t k_noted_files = 20, k_listed_files = 100, k_max_shown_path = 500;
constexpr std::string_view k_missing = "lfs_missing", k_left_out = "lfs_left_out", k_taken = "lfs_files",
                           k_server = "lfs_server";

/// As the facts have it.
std::string_view name_of(LfsAddress::By by) {
  switch (by) {
    case LfsAddress::By::stack:
      return "lfs_url";
    case LfsAddress::By::repository:
      return ".lfsconfig";
    case LfsAddress::By::nobody:
      break;
  }
  return "url";
}

/// A file that can be read, has these bytes, and is no link.
bool has_bytes(const fs::path& at, const Digest& digest, std::uint64_t size) {
  std::error_code error;
  const bool there = fs::is_regular_file(fs::symlink_status(at, error)) && fs::file_size(at, error) == size && !error;
  if (!there || ::access(at.c_str(), R_OK) != 0) return false;
  const auto in = open_file(at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  return sha256_of_file(in.get(), printable(at.string())) == digest;
}

using Files = std::map<Digest, LfsFile>;

std::string shown_path(const std::string& path) {
  return printable(path.substr(0, k_max_shown_path));
}

/// Those that do not cross, as facts have them: how many, how many of them a checkout needs, how much, and the first of
/// them, what a checkout needs in front.
Json listed(const Files& files) {
  auto first = Json::array();
  std::uint64_t bytes = 0, needed = 0;
  for (const auto& [oid, file] : files) {
    bytes += file.size;
    if (!file.path.empty()) ++needed;
  }
  for (const bool with_path : {true, false}) {
    for (const auto& [oid, file] : files) {
      if (file.path.empty() == with_path || first.size() == k_listed_files) continue;
      Json one = {{"oid", oid.hex()}, {"size", file.size}};
      if (with_path) one["path"] = shown_path(file.path);
      first.push_back(std::move(one));
    }
  }
  return {{"count", files.size()}, {"with_path", needed}, {"bytes", bytes}, {"first", std::move(first)}};
}

/// The files of a repository on this machine, as git-lfs keeps them: below its own folder, or the one that its work
/// trees share.
class LfsFolder {
 public:
  LfsFolder(const GitProgram& git, const std::string& source, const StackEntry& entry) {
    if (!source.starts_with('/') || !fs::is_directory(source)) return;
    const auto common = git.run({"-C", source, "rev-parse", "--git-common-dir"});
    const fs::path below = std::string(trim(common));
    m_folder = fs::path(source) / below / "lfs";
    // As the stack calls it: the lock is good for a stack that was moved.
    const auto url = entry.text("url");
    const bool as_stated = below.is_relative() && !is_url(url);
    m_shown = (as_stated ? fs::path(url) / below : fs::path(source) / below).lexically_normal() / "lfs";
  }

  /// How the stack calls the file; empty where it is not there, or has another size.
  std::string find(const Digest& oid, std::uint64_t size) const {
    if (m_folder.empty()) return {};
    std::error_code error;
    const auto at = m_folder / lfs_place(oid);
    const bool there = fs::is_regular_file(fs::symlink_status(at, error)) && fs::file_size(at, error) == size && !error;
    return there ? (m_shown / lfs_place(oid)).string() : std::string();
  }

 private:
  fs::path m_folder, m_shown;
};

/// Where this machine has them, as the stack calls it. What was locked before and is not in the store yet was perhaps
/// locked and could not be fetched: then its size alone says too little.
std::map<Digest, std::string> local_origins(const LfsFolder& local, const Files& files, const CollectContext& context) {
  const bool was_locked = std::any_of(context.before.begin(), context.before.end(),
                                      [](const auto& one) { return one.facts.contains("lfs_pointers"); });
  std::map<Digest, std::string> out;
  for (const auto& [oid, file] : files) {
    auto origin = local.find(oid, file.size);
    if (origin.empty()) continue;
    const bool is_doubtful = was_locked && !context.store.contains(oid);
    if (is_doubtful && !has_bytes(stack_path(origin, context.stack_folder), oid, file.size)) continue;
    out.emplace(oid, std::move(origin));
  }
  return out;
}

/// Would those that came from a server be asked for there now?
bool is_of_server(const Artifact& before, std::span<const ArtifactFile> files, const StackEntry& entry) {
  const auto stated = lfs_address(entry, {}, {});
  const auto by = before.facts.value(k_server, "");
  return std::all_of(files.begin(), files.end(), [&](const auto& file) {
    if (!is_url(file.origin)) return true;
    if (stated) return LfsServer::address_in(file.origin, file.digest) == stated->url;
    // The commits are the same, so that .lfsconfig says what it said.
    return by == name_of(LfsAddress::By::repository) || by == name_of(LfsAddress::By::nobody);
  });
}

bool is_at_hand(const ArtifactFile& file, const CollectContext& context) {
  if (context.store.contains(file.digest)) return true;
  return !is_url(file.origin) && has_bytes(stack_path(file.origin, context.stack_folder), file.digest, file.size);
}

void add_file(Artifact& artifact, const Digest& oid, const LfsFile& file, std::string origin) {
  Evidence evidence{.type = "lfs-oid", .details = Json::object()};
  if (!file.path.empty()) evidence.details["path"] = shown_path(file.path);
  artifact.files.push_back(
      {RelPath::parse(lfs_path(artifact.name, oid)), file.size, oid, std::move(origin), {std::move(evidence)}});
}

std::string where_of(const Json& one) {
  const auto path = one.value("path", "");
  return path.empty() ? fmt::format("sha256:{}", one.value("oid", "")) : path;
}

void note_listed(std::vector<std::string>& notes, const Json& list, const StackEntry& entry, std::string_view what) {
  const auto count = list.value("count", std::uint64_t{0});
  notes.push_back(fmt::format("{}: {} of Git LFS with {} {}", entry.where(), counted(count, "file"),
                              format_size(list.value("bytes", std::uint64_t{0})), what));
  std::size_t noted = 0;
  for (const auto& one : list.value("first", Json::array())) {
    if (++noted > k_noted_files) break;
    notes.push_back(fmt::format("{}: not crossing: {} of Git LFS, {}", entry.where(), where_of(one),
                                format_size(one.value("size", std::uint64_t{0}))));
  }
  if (count > k_noted_files) notes.push_back(fmt::format("{}: and {} more", entry.where(), count - k_noted_files));
}

std::string shown_path_of(const ArtifactFile& file) {
  for (const auto& evidence : file.evidence) {
    if (const auto path = evidence.details.value("path", ""); !path.empty()) return path;
  }
  return file.digest.text();
}

void note_taken(std::vector<std::string>& notes, const Artifact& artifact, const StackEntry& entry) {
  const auto files = std::span(artifact.files).subspan(1);
  if (files.empty()) return;
  std::uint64_t bytes = 0;
  for (const auto& file : files) bytes += file.size;
  notes.push_back(fmt::format("{}: {} of Git LFS with {} cross with it", entry.where(), counted(files.size(), "file"),
                              format_size(bytes)));
  for (const auto& file : files.first(std::min(files.size(), k_noted_files)))
    notes.push_back(fmt::format("{}: Git LFS: {}, {}", entry.where(), shown_path_of(file), format_size(file.size)));
  if (files.size() > k_noted_files)
    notes.push_back(fmt::format("{}: and {} more", entry.where(), files.size() - k_noted_files));
}

}  // namespace

void take_lfs_files(Artifact& artifact, const RepositoryCopy& copy, const GitProgram& git, const Wanted& wanted,
                    const StackEntry& entry, CollectContext& context) {
  const auto pointed = copy.lfs_files(wanted.selection);
  if (pointed.pointers == 0) return;
  artifact.facts["lfs_pointers"] = pointed.pointers;
  if (!entry.flag("lfs", true)) {
    artifact.facts[std::string(k_left_out)] = listed(pointed.files);
    return;
  }
  if (pointed.trouble) throw *pointed.trouble;
  auto origins = local_origins(LfsFolder(git, wanted.source, entry), pointed.files, context);
  std::vector<LfsPointer> elsewhere;
  for (const auto& [oid, file] : pointed.files) {
    if (!origins.contains(oid)) elsewhere.push_back({oid, file.size});
  }
  std::optional<LfsServer> server;
  if (!elsewhere.empty()) {
    // What a stranger wrote is read only where it decides.
    const bool repository_says = entry.text("lfs_url").empty() && is_url(wanted.source);
    const auto configured = repository_says ? copy.lfs_url(wanted.selection) : std::nullopt;
    if (const auto address = lfs_address(entry, wanted.source, configured)) {
      const bool is_named = address->by != LfsAddress::By::nobody;
      server.emplace(context.downloader, address->url,
                     is_named ? LfsServer::Absence::is_error : LfsServer::Absence::means_none);
      artifact.facts[std::string(k_server)] = name_of(address->by);
    }
  }
  const auto lacking = server ? server->lacking(elsewhere) : std::set<Digest>();
  Files missing;
  for (const auto& [oid, file] : pointed.files) {
    auto origin = std::move(origins[oid]);
    if (origin.empty() && server && lacking.count(oid) == 0) origin = server->name_of(oid);
    if (origin.empty()) {
      missing.emplace(oid, file);
    } else {
      add_file(artifact, oid, file, std::move(origin));
    }
  }
  artifact.facts[std::string(k_taken)] = artifact.files.size() - 1;
  if (!missing.empty()) artifact.facts[std::string(k_missing)] = listed(missing);
}

bool has_lfs_as_wanted(const Artifact& before, const StackEntry& entry, const CollectContext& context) {
  const auto& facts = before.facts;
  if (!facts.contains("lfs_pointers")) return true;
  if (!entry.flag("lfs", true)) return facts.contains(k_left_out);
  if (!facts.contains(k_taken) || facts.contains(k_missing)) return false;
  const auto files = std::span(before.files).subspan(1);
  return is_of_server(before, files, entry) &&
         std::all_of(files.begin(), files.end(), [&](const auto& file) { return is_at_hand(file, context); });
}

void add_lfs_notes(std::vector<std::string>& notes, const Artifact& artifact, const StackEntry& entry) {
  note_taken(notes, artifact, entry);
  if (const auto found = artifact.facts.find(k_left_out); found != artifact.facts.end())
    note_listed(notes, *found, entry, "are left out (lfs = false)");
  if (const auto found = artifact.facts.find(k_missing); found != artifact.facts.end())
    note_listed(notes, *found, entry, "are not at the upstream, and do not cross");
}

std::vector<FetchJob> plan_lfs_files(const Artifact& artifact, const StackEntry& entry, const CollectContext& context) {
  std::vector<FetchJob> jobs;
  std::map<std::string, std::vector<const ArtifactFile*>> by_server;
  for (const auto& file : std::span(artifact.files).subspan(1)) {
    if (context.store.contains(file.digest)) continue;
    if (!is_url(file.origin)) {
      jobs.push_back(job_for(file, entry, context, {}));
      continue;
    }
    const auto address = LfsServer::address_in(file.origin, file.digest);
    if (!address) fail(ErrorCode::lock_invalid, "{} has a file of Git LFS from nowhere", printable(artifact.id()));
    by_server[*address].push_back(&file);
  }
  for (const auto& [address, files] : by_server) {
    std::vector<LfsPointer> wanted;
    for (const auto* file : files) wanted.push_back({file->digest, file->size});
    const auto places = std::make_shared<LfsPlaces>(LfsServer(context.downloader, address), std::move(wanted));
    for (std::size_t i = 0; i < files.size(); ++i) {
      jobs.push_back({.title = shown_path_of(*files[i]),
                      .digest = files[i]->digest,
                      .size = files[i]->size,
                      .url = files[i]->origin,
                      .headers = {},
                      .produce = {},
                      .locate = [places, i] { return places->place_of(i); }});
    }
  }
  return jobs;
}

}  // namespace liftlock::git
