// The cache of huggingface_hub: models--ORG--NAME/{refs,snapshots/COMMIT,blobs}; snapshots hold symlinks to blobs,
// whose names are their SHA-256 (files under LFS) or their git object id.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_prefix = "models--";

bool is_lower_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// "org/name" of "models--org--name".
std::string repository_of(std::string_view folder) {
  auto name = std::string(folder.substr(k_prefix.size()));
  if (const auto at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
  return name;
}

/// The commit that refs/main names, else the only one.
std::string commit_of(const Tree& repository) {
  std::vector<std::string> commits;
  for (const auto& path : repository.paths()) {
    if (!path.starts_with("snapshots/")) continue;
    const auto rest = std::string_view(path).substr(10);
    const auto commit = std::string(rest.substr(0, rest.find('/')));
    if (commits.empty() || commits.back() != commit) commits.push_back(commit);
  }
  if (repository.has("refs/main")) {
    const auto commit = std::string(trim(repository.read("refs/main", 256)));
    if (std::find(commits.begin(), commits.end(), commit) != commits.end()) return commit;
  }
  if (commits.size() == 1) return commits.front();
  fail(ErrorCode::model_incomplete, "'{}' has {} snapshots, and refs/main names none of them",
       printable(repository.name()), commits.size());
}

struct Snapshot {
  std::shared_ptr<const Tree> tree;
  std::string repository;
  std::string commit;
};

}  // namespace

std::optional<Found> recognise_hf_cache(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  std::map<std::string, std::shared_ptr<const Tree>> repositories;
  const auto last = tree->name().substr(tree->name().rfind('/') + 1);
  if (last.starts_with(k_prefix)) repositories.emplace(last, tree);
  for (const auto& path : tree->paths()) {
    const auto begin = path.starts_with("hub/") ? std::size_t{4} : std::size_t{0};
    const auto slash = path.find('/', begin);
    if (!std::string_view(path).substr(begin).starts_with(k_prefix) || slash == std::string::npos) continue;
    const auto folder = path.substr(0, slash);
    if (!repositories.contains(folder.substr(begin))) repositories.emplace(folder.substr(begin), tree->below(folder));
  }
  std::vector<Snapshot> snapshots;
  for (const auto& [folder, repository] : repositories) {
    const auto& paths = repository->paths();
    if (std::none_of(paths.begin(), paths.end(), [](const auto& path) { return path.starts_with("snapshots/"); }))
      continue;
    const auto commit = commit_of(*repository);
    snapshots.push_back({repository->below("snapshots/" + commit), repository_of(folder), commit});
  }
  if (snapshots.empty()) return std::nullopt;
  Found found{.shape = "hf-cache",
              .words = "a Hugging Face cache of " + counted(snapshots.size(), "model"),
              .preview = {{"models", Json::array()}}};
  for (const auto& snapshot : snapshots) {
    found.preview["models"].push_back({{"repository", snapshot.repository}, {"commit", snapshot.commit}});
    for (const auto& path : snapshot.tree->paths()) {
      if (const auto why = why_unsafe_model_file(path); !why.empty()) {
        found.notes.push_back(fmt::format("{} is left out: {}", printable(path), why));
        continue;
      }
      WantedFile file{.tree = snapshot.tree, .path = path, .stated = std::nullopt, .stated_by = {}};
      const auto& place = snapshot.tree->place(path);
      const auto blob = place.substr(place.rfind('/') + 1);
      if (is_lower_hex(blob, 64)) {
        file.stated = Digest::parse_sha256_hex(blob);
        file.stated_by = "the name of the blob in the Hugging Face cache";
      }
      found.files.push_back(std::move(file));
    }
  }
  found.make = [snapshots, files = found.files](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& snapshot : snapshots) {
      const auto slash = snapshot.repository.rfind('/');
      ModelParts parts{.name = snapshot.repository.substr(slash == std::string::npos ? 0 : slash + 1),
                       .version = snapshot.commit.substr(0, 12),
                       .license = {},
                       .facts = {{"source", "hf"}, {"repository", snapshot.repository}, {"commit", snapshot.commit}},
                       .files = {}};
      for (const auto& file : files) {
        if (file.tree != snapshot.tree) continue;
        std::vector<Evidence> evidence;
        if (file.stated) evidence.push_back({"stated", {{"by", file.stated_by}}});
        parts.files.push_back({file.path, staged.digest(*file.tree, file.path), snapshot.tree->name() + "/" + file.path,
                               std::move(evidence)});
      }
      if (!parts.files.empty()) out.push_back(make_model(parts, staged));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
