#include "ecosystem/hub/cache_export.hpp"

#include <set>

#include "ecosystem/hub/repository.hpp"

namespace liftlock::hub {
namespace {

/// "../../blobs/X", one "../" more for each folder of the path.
fs::path link_target(const RelPath& path, const std::string& blob_name) {
  fs::path up = "../..";
  for (const char c : path.text()) {
    if (c == '/') up /= "..";
  }
  return up / "blobs" / blob_name;
}

/// A ref is a file that holds the commit, without a newline. Names that are no paths are left out: they are known to
/// the mirror only.
void write_ref(const fs::path& cache, const std::string& name, const std::string& commit) {
  const auto path = RelPath::try_parse(name);
  if (!path || name == commit) return;
  const auto at = cache / "refs" / path->text();
  make_folders(at.parent_path());
  write_file_atomically(at, commit);
}

/// "models--ORG--NAME", "datasets--ORG--NAME"
std::string cache_folder_of(std::string_view repository, std::string_view kind) {
  std::string out = kind == "dataset" ? "datasets--" : "models--";
  for (const char c : repository) out += c == '/' ? std::string("--") : std::string(1, c);
  return out;
}

}  // namespace

std::vector<ExportedFile> export_hub_cache(const BlobStore& store, const Artifact& model, const fs::path& folder,
                                           Reporter& reporter) {
  const auto place = place_of(model);
  const auto files = files_of(model);
  const auto cache = folder / cache_folder_of(place.repository, model.kind);
  Artifact blobs = model;
  blobs.files.clear();
  std::set<std::string> named;  // a blob that stands twice in a repository is one file
  for (const auto& [path, file] : files) {
    if (!named.insert(file.blob_name).second) continue;
    blobs.files.push_back(file.file);
    blobs.files.back().path = RelPath::parse("blobs/" + file.blob_name);
  }
  auto exported = export_artifact(store, blobs, cache, ExportLayout::bundle, reporter);
  const auto snapshot = cache / "snapshots" / place.commit;
  for (const auto& [path, file] : files) {
    const auto link = snapshot / path;
    make_folders(link.parent_path());
    replace_symlink(link_target(RelPath::parse(path), file.blob_name), link);
  }
  write_ref(cache, model.version, place.commit);
  if (place.revision) write_ref(cache, *place.revision, place.commit);
  write_ref(cache, "main", place.commit);
  return exported;
}

}  // namespace liftlock::hub
