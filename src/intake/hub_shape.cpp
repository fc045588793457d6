// The cache of huggingface_hub: models--ORG--NAME/{refs,snapshots/COMMIT,blobs}, and data sets as datasets--ORG--NAME;
// snapshots hold symlinks to blobs, whose names are their SHA-256 (files under LFS) or their git object id.
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/model/dataset.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_notes = 20;

/// What a cache holds repositories of, and what is taken of them.
struct Kind {
  std::string_view prefix;
  std::string_view artifact;
  std::string (*why_unsafe)(std::string_view path);
};
constexpr std::array k_kinds = {Kind{"models--", "model", why_unsafe_model_file},
                                Kind{"datasets--", k_dataset_kind, why_unsafe_dataset_name}};

/// nullptr: a folder called so is no repository that is taken.
const Kind* kind_of(std::string_view folder) {
  const auto found =
      std::find_if(k_kinds.begin(), k_kinds.end(), [&](const auto& kind) { return folder.starts_with(kind.prefix); });
  return found == k_kinds.end() ? nullptr : &*found;
}

bool is_lower_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// "org/name" of "models--org--name".
std::string repository_of(const Kind& kind, std::string_view folder) {
  auto name = std::string(folder.substr(kind.prefix.size()));
  if (const auto at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
  return name;
}

std::vector<std::string> commits_of(const Tree& repository) {
  std::vector<std::string> commits;
  for (const auto& path : repository.paths()) {
    if (!path.starts_with("snapshots/")) continue;
    const auto rest = std::string_view(path).substr(10);
    const auto commit = std::string(rest.substr(0, rest.find('/')));
    if (commits.empty() || commits.back() != commit) commits.push_back(commit);
  }
  return commits;
}

/// The commit that refs/main names, else the only one.
std::string commit_of(const Tree& repository, const std::vector<std::string>& commits) {
  if (repository.has("refs/main")) {
    const auto commit = std::string(trim(repository.read("refs/main", 256)));
    if (std::find(commits.begin(), commits.end(), commit) != commits.end()) return commit;
  }
  if (commits.size() == 1) return commits.front();
  fail(ErrorCode::model_incomplete, "'{}' has {} snapshots, and refs/main names none of them",
       printable(repository.name()), commits.size());
}

struct Snapshot {
  const Kind* kind;
  std::shared_ptr<const Tree> tree;
  std::string repository;
  std::string commit;
};

/// A cache, and what stands in it.
struct Cache {
  std::map<std::string, std::shared_ptr<const Tree>> repositories;  ///< by the names of their folders
  std::set<std::string> others;                                     ///< folders and files beside them
};

Cache look_into(const std::shared_ptr<const Tree>& tree) {
  Cache out;
  const auto last = tree->name().substr(tree->name().rfind('/') + 1);
  if (kind_of(last) != nullptr) {
    out.repositories.emplace(last, tree);
    return out;
  }
  for (const auto& path : tree->paths()) {
    const auto begin = path.starts_with("hub/") ? std::size_t{4} : std::size_t{0};
    const auto slash = path.find('/', begin);
    const auto folder = path.substr(begin, slash == std::string::npos ? slash : slash - begin);
    if (slash == std::string::npos || kind_of(folder) == nullptr) {
      out.others.insert(path.substr(0, slash));
    } else if (!out.repositories.contains(folder)) {
      out.repositories.emplace(folder, tree->below(path.substr(0, slash)));
    }
  }
  return out;
}

/// The snapshots that are taken; notes say what is not.
std::vector<Snapshot> snapshots_of(const Cache& cache, std::vector<std::string>& notes) {
  std::vector<Snapshot> out;
  for (const auto& [folder, repository] : cache.repositories) {
    const auto* kind = kind_of(folder);
    const auto commits = commits_of(*repository);
    if (commits.empty()) {
      notes.push_back(fmt::format("{} is left out: it has no snapshot", printable(folder)));
      continue;
    }
    const auto commit = commit_of(*repository, commits);
    if (commits.size() > 1) {
      notes.push_back(fmt::format("{} of {} left out: refs/main names {}",
                                  counted(commits.size() - 1, "other snapshot", "other snapshots"), printable(folder),
                                  printable(commit)));
    }
    out.push_back({kind, repository->below("snapshots/" + commit), repository_of(*kind, folder), commit});
  }
  if (out.empty()) return out;
  for (const auto& other : cache.others) {
    if (notes.size() == k_max_notes) break;
    const auto name = other.substr(other.rfind('/') + 1);
    const std::string_view why =
        name.starts_with("spaces--") ? "a Space is a program" : "it is no repository of a model or a data set";
    notes.push_back(fmt::format("{} is left out: {}", printable(other), why));
  }
  return out;
}

std::string words_of(const std::vector<Snapshot>& snapshots) {
  std::vector<std::string> parts;
  for (const auto& kind : k_kinds) {
    const auto count = static_cast<std::size_t>(
        std::count_if(snapshots.begin(), snapshots.end(), [&](const auto& one) { return one.kind == &kind; }));
    if (count > 0) parts.push_back(counted(count, kind.artifact == "model" ? "model" : "data set"));
  }
  return fmt::format("a Hugging Face cache of {}", fmt::join(parts, " and "));
}

Artifact make_snapshot(const Snapshot& snapshot, const std::vector<WantedFile>& files, const StagedFiles& staged) {
  const auto slash = snapshot.repository.rfind('/');
  ModelParts parts{.name = snapshot.repository.substr(slash == std::string::npos ? 0 : slash + 1),
                   .version = snapshot.commit.substr(0, 12),
                   .license = {},
                   .facts = {{"source", "hf"}, {"repository", snapshot.repository}, {"commit", snapshot.commit}},
                   .files = {},
                   .kind = std::string(snapshot.kind->artifact)};
  for (const auto& file : files) {
    if (file.tree != snapshot.tree) continue;
    std::vector<Evidence> evidence;
    if (file.stated) evidence.push_back({"stated", {{"by", file.stated_by}}});
    parts.files.push_back({file.path, staged.digest(*file.tree, file.path), snapshot.tree->name() + "/" + file.path,
                           std::move(evidence)});
  }
  return make_model(parts, staged);
}

}  // namespace

std::optional<Found> recognise_hf_cache(const std::shared_ptr<const Tree>& tree, const ImportCells&) {
  std::vector<std::string> notes;
  auto snapshots = snapshots_of(look_into(tree), notes);
  if (snapshots.empty()) return std::nullopt;
  Found found{.shape = "hf-cache", .words = words_of(snapshots), .preview = Json::object(), .notes = std::move(notes)};
  for (const auto& snapshot : snapshots) {
    auto& list = found.preview[std::string(snapshot.kind->artifact) + "s"];
    list.push_back({{"repository", snapshot.repository}, {"commit", snapshot.commit}});
    bool taken = false;
    for (const auto& path : snapshot.tree->paths()) {
      if (const auto why = snapshot.kind->why_unsafe(path); !why.empty()) {
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
      taken = true;
    }
    if (!taken) found.notes.push_back(fmt::format("nothing of {} is taken in", printable(snapshot.repository)));
  }
  found.make = [snapshots = std::move(snapshots), files = found.files](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& snapshot : snapshots) {
      const bool any =
          std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.tree == snapshot.tree; });
      if (any) out.push_back(make_snapshot(snapshot, files, staged));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
