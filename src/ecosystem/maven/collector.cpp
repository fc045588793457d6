#include "ecosystem/maven/collector.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/maven/build_check.hpp"
#include "ecosystem/maven/checksum.hpp"
#include "ecosystem/maven/inspector.hpp"
#include "ecosystem/maven/pom_set.hpp"
#include "ecosystem/maven/repository_path.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

constexpr std::size_t k_max_files = 500'000;
constexpr std::string_view k_origins = "_remote.repositories";
constexpr std::uint64_t k_max_origins = 1u << 20;
constexpr std::uint64_t k_max_checksum = 4096;
constexpr std::string_view k_fetch_again =
    "remove its folder from the local repository, and have the build fetch it again";

constexpr std::array k_keys = {
    KeySpec{"repository", ValueType::string, true,
            "A local repository that the build filled: `mvn -Dmaven.repo.local=FOLDER package`.", "\"m2\""},
    KeySpec{"project", ValueType::string, false,
            "The project's pom.xml: `liftlock check` builds a copy of its folder from the repository alone, without a "
            "network; by default it builds nothing.",
            "\"app/pom.xml\""},
    KeySpec{"goals", ValueType::strings, false, "With `project`: the words that mvn is given; by default package.",
            "[\"verify\", \"-DskipTests\"]"},
};

/// Notes that Maven keeps for itself, checksums that the mirror makes anew, and lists of what an upstream has.
bool is_note(std::string_view path) {
  const auto name = path.substr(path.rfind('/') + 1);
  constexpr std::array<std::string_view, 7> k_ends = {".lastUpdated", ".sha1", ".md5", ".sha256",
                                                      ".sha512",      ".part", ".lock"};
  return name.starts_with('_') || name.starts_with("maven-metadata") || name == "resolver-status.properties" ||
         path.starts_with(".") || path.find("/.") != std::string_view::npos ||
         std::any_of(k_ends.begin(), k_ends.end(), [&](std::string_view end) { return name.ends_with(end); });
}

/// "FILE>REPOSITORY=" of the folder's _remote.repositories: where Maven had it from; empty: built here.
std::map<std::string, std::string> origins_of(const fs::path& folder) {
  std::map<std::string, std::string> out;
  if (!fs::is_regular_file(folder / k_origins)) return out;
  const auto text = read_file(folder / k_origins, k_max_origins);
  for (const auto line : split(text, '\n')) {
    const auto mark = line.find('>'), end = line.rfind('=');
    if (line.starts_with('#') || mark == std::string_view::npos || end == std::string_view::npos || end < mark)
      continue;
    out[std::string(line.substr(0, mark))] = line.substr(mark + 1, end - mark - 1);
  }
  return out;
}

/// Licences and needs, as the POMs say them together; each was inspected before it is believed.
void read_poms(const StackEntry& entry, std::vector<Artifact>& artifacts, const CollectContext& context) {
  PomSet poms;
  for (const auto& artifact : artifacts) {
    const auto inspection = context.inspect(artifact);
    if (!inspection.findings.empty()) {
      const auto& first = inspection.findings.front();
      throw Error(first.code, fmt::format("{}: {}: {}", entry.where(), printable(first.path), first.message),
                  std::string(k_fetch_again));
    }
    std::optional<Pom> pom;
    if (const auto found = inspection.facts.find(k_fact_pom); found != inspection.facts.end())
      pom = pom_from_json(*found);
    const bool more = std::any_of(artifact.files.begin(), artifact.files.end(),
                                  [](const auto& file) { return !file.path.text().ends_with(".pom"); });
    poms.add(artifact.name, artifact.version, std::move(pom), more ? PomSet::Files::more : PomSet::Files::pom_alone);
  }
  for (auto& artifact : artifacts) {
    artifact.license = poms.license(artifact.name, artifact.version);
    for (const auto& [name, version] : poms.needs(artifact.name, artifact.version))
      artifact.needs.push_back(fmt::format("maven:{}@{}", name, version));
    std::sort(artifact.needs.begin(), artifact.needs.end());
  }
}

/// The sums that stand beside a file, where the build kept them. What is no such sum (some servers send a page) says
/// nothing.
void compare_checksums(const StackEntry& entry, const fs::path& local, const ArtifactFile& file,
                       const BlobStore& store) {
  constexpr std::array<std::pair<std::string_view, std::size_t>, 3> k_sums = {
      {{"sha1", 40}, {"sha256", 64}, {"sha512", 128}}};
  for (const auto& [suffix, digits] : k_sums) {
    const fs::path beside = local.string() + "." + std::string(suffix);
    if (!fs::is_regular_file(beside) || fs::file_size(beside) > k_max_checksum) continue;
    const auto text = read_file(beside, k_max_checksum);
    const auto stated = to_lower(trim(text).substr(0, trim(text).find_first_of(" \t\r\n")));
    if (stated.size() != digits || !decode_hex(stated)) continue;
    if (checksum_of_blob(store, file, suffix) == stated) continue;
    throw Error(ErrorCode::digest_mismatch,
                fmt::format("{}: '{}' does not have the checksum that '{}' beside it states", entry.where(),
                            printable(local.filename().string()), printable(beside.filename().string())),
                std::string(k_fetch_again));
  }
}

}  // namespace

std::string_view MavenCollector::table() const {
  return "maven";
}
std::string_view MavenCollector::summary() const {
  return "Maven artifacts and plugins: what a build put into a local repository of its own";
}
std::span<const KeySpec> MavenCollector::keys() const {
  return k_keys;
}

std::vector<fs::path> MavenCollector::input_files(const StackEntry& entry, const fs::path& stack_folder) const {
  const auto folder = stack_path(entry.text("repository"), stack_folder);
  // As the stack writes it, so that the declaration is the same wherever the stack lies.
  const auto source = entry.text("repository").starts_with('~') ? folder : fs::path(entry.text("repository"));
  std::vector<fs::path> out;
  if (!fs::is_directory(folder)) return out;
  for (const auto& found : walk(folder, k_max_files)) {
    if (S_ISREG(found.status.st_mode) && found.path.ends_with(".pom")) out.push_back(source / found.path);
  }
  return out;
}

Collected MavenCollector::resolve(const StackEntry& entry, CollectContext& context) const {
  const auto source = entry.text("repository");
  const auto folder = stack_path(source, context.stack_folder);
  if (!fs::is_directory(folder)) {
    throw Error(ErrorCode::not_found, fmt::format("{}: there is no folder '{}'", entry.where(), printable(source)),
                fmt::format("fill it: `mvn -Dmaven.repo.local={} package`", printable(source)));
  }
  std::vector<LocalFile> files;
  std::vector<RepositoryPath> places;
  for (const auto& found : walk(folder, k_max_files)) {
    if (S_ISDIR(found.status.st_mode) || is_note(found.path)) continue;
    if (!S_ISREG(found.status.st_mode)) {
      fail(ErrorCode::not_regular, "{}: '{}' is a link or a special file", entry.where(), printable(found.path));
    }
    const auto place = parse_repository_path(found.path);
    if (!place) {
      throw Error(ErrorCode::unresolvable,
                  fmt::format("{}: '{}' is no file of a Maven repository", entry.where(), printable(found.path)),
                  "name a folder that Maven alone writes to");
    }
    if (place->version.ends_with("-SNAPSHOT")) {
      throw Error(ErrorCode::moving_tag,
                  fmt::format("{}: {} {} is a snapshot, which changes", entry.where(), place->name(), place->version),
                  "depend on a release; what the project builds itself is not part of the repository");
    }
    files.push_back({found.path, folder / found.path, {}});
    places.push_back(*place);
  }
  if (files.empty()) fail(ErrorCode::unresolvable, "{}: '{}' holds no artifact", entry.where(), printable(source));
  const auto taken = take_local_files(context, "lock-maven-" + portable_component(entry.name), files);

  std::map<std::string, Artifact> artifacts;
  std::map<std::string, std::map<std::string, std::string>> origins;
  Collected out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& place = places[i];
    const auto key = place.folder();
    auto& artifact =
        artifacts.try_emplace(key, Artifact{.kind = "maven", .name = place.name(), .version = place.version})
            .first->second;
    if (origins.count(key) == 0) origins[key] = origins_of(folder / key);
    auto evidence = first_use_evidence();
    const auto& known = origins[key];
    if (const auto from = known.find(place.file); from != known.end())
      evidence.details["repository"] = printable(from->second);
    artifact.files.push_back({RelPath::parse("packages/maven/" + files[i].path),
                              taken[i].size,
                              taken[i].digest,
                              source + (source.ends_with('/') ? "" : "/") + files[i].path,
                              {evidence}});
    compare_checksums(entry, folder / files[i].path, artifact.files.back(), context.store);
  }
  for (auto& [key, artifact] : artifacts) {
    std::sort(artifact.files.begin(), artifact.files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
    out.artifacts.push_back(std::move(artifact));
  }
  std::sort(out.artifacts.begin(), out.artifacts.end(),
            [](const Artifact& a, const Artifact& b) { return a.id() < b.id(); });
  read_poms(entry, out.artifacts, context);
  out.notes.push_back(fmt::format("{}: {} files are believed as Maven downloaded them: it states no SHA-256 of them",
                                  entry.where(), files.size()));
  return out;
}

std::vector<FetchJob> MavenCollector::plan(const Artifact& artifact, const StackEntry& entry,
                                           CollectContext& context) const {
  std::vector<FetchJob> jobs;
  for (const auto& file : artifact.files) {
    if (!context.store.contains(file.digest)) jobs.push_back(job_for(file, entry, context, {}));
  }
  return jobs;
}

CheckResult MavenCollector::check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                                  CollectContext& context) const {
  return check_build(entry, artifacts, context);
}

}  // namespace liftlock::maven
