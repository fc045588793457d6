#include "ecosystem/ollama/serving/store_export.hpp"

#include <unistd.h>

#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/store_reader.hpp"

namespace liftlock::ollama {
namespace {

/// Root writes for the service's user; everybody else for himself.
void give_to_owner(const fs::path& store, const std::set<fs::path>& made) {
  if (::geteuid() != 0) return;
  const auto folder = open_folder(store);
  const auto owner = stat_of(folder.get(), store.string());
  if (owner.st_uid == 0) return;
  for (const auto& path : made) {
    if (::lchown(path.c_str(), owner.st_uid, owner.st_gid) != 0)
      fail_errno(fmt::format("give '{}' to the owner of the store", printable(path.string())));
  }
}

void add_with_folders(std::set<fs::path>& made, fs::path path, const fs::path& store) {
  for (; path != store && path.has_relative_path(); path = path.parent_path()) made.insert(path);
}

}  // namespace

std::vector<ExportedFile> export_to_store(const BlobStore& blobs, const Artifact& artifact, const Name& name,
                                          const fs::path& store_folder, Reporter& reporter) {
  const auto store = fs::absolute(store_folder).lexically_normal();
  const auto model = make_model(artifact, blobs);
  Artifact stored = artifact;
  stored.files.clear();
  for (const auto& [digest, file] : model.stored) {
    stored.files.push_back(file);
    stored.files.back().path = RelPath::parse("blobs/sha256-" + digest.hex());
  }
  auto exported = export_artifact(blobs, stored, store, ExportLayout::bundle, reporter);
  for (const auto& [digest, text] : model.made) {
    const auto at = blob_path(store, digest);
    write_file_atomically(at, text);
    exported.push_back({at, text.size(), digest});
  }
  std::set<fs::path> made;
  for (const auto& file : exported) add_with_folders(made, file.path, store);
  const auto manifest = manifest_path(store, name);
  make_folders(manifest.parent_path());
  add_with_folders(made, manifest.parent_path(), store);
  give_to_owner(store, made);
  write_file_atomically(manifest, model.manifest);
  give_to_owner(store, {manifest});
  exported.push_back({manifest, model.manifest.size(), sha256(model.manifest)});
  return exported;
}

}  // namespace liftlock::ollama
