#include "ecosystem/maven/repository_layout.hpp"

#include "base/encoding.hpp"
#include "ecosystem/maven/checksum.hpp"

namespace liftlock::maven {

void add_version(Modules& modules, const RepositoryPath& place) {
  const auto folder = place.folder();
  auto& module = modules[folder.substr(0, folder.rfind('/'))];
  module.group = place.group;
  module.artifact = place.artifact;
  module.versions.insert(place.version);
}

std::map<std::string, ArtifactFile> repository_files(const Artifact& artifact) {
  std::map<std::string, ArtifactFile> out;
  if (artifact.kind != "maven") return out;
  for (const auto& file : artifact.files) {
    if (!file.path.text().starts_with(k_repository_folder)) continue;
    auto path = file.path.text().substr(k_repository_folder.size());
    if (parse_repository_path(path)) out.emplace(std::move(path), file);
  }
  return out;
}

PlainLayout repository_layout(std::span<const Artifact> artifacts, const BlobStore& blobs) {
  PlainLayout out;
  Modules modules;
  for (const auto& artifact : artifacts) {
    for (auto& [path, file] : repository_files(artifact)) {
      add_version(modules, *parse_repository_path(path));
      out.files.insert_or_assign(path, file);
    }
  }
  for (const auto& [path, file] : out.files) out.documents[path + ".sha1"] = checksum_of_blob(blobs, file, "sha1");
  for (const auto& [at, module] : modules) {
    const auto metadata = module.metadata();
    Checksum sum("sha1");
    sum.update(as_bytes(metadata));
    out.documents[at + "/maven-metadata.xml"] = metadata;
    out.documents[at + "/maven-metadata.xml.sha1"] = sum.hex();
  }
  return out;
}

}  // namespace liftlock::maven
