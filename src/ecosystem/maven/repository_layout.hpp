// A Maven repository of releases as a folder, and what its modules are.
// https://maven.apache.org/repository/layout.html
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "ecosystem/maven/repository_path.hpp"
#include "ecosystem/plain_layout.hpp"
#include "store/blob_store.hpp"

namespace liftlock::maven {

/// Where the files of a repository lie in a bundle.
inline constexpr std::string_view k_repository_folder = "packages/maven/";

struct Module {
  std::string group, artifact;
  std::set<std::string> versions;

  /// Its maven-metadata.xml.
  std::string metadata() const { return module_metadata(group, artifact, versions); }
};
using Modules = std::map<std::string, Module, std::less<>>;  ///< by GROUP/ARTIFACT

void add_version(Modules& modules, const RepositoryPath& place);

/// The files of an artifact by their paths in a repository; of another kind, or without that layout: none.
std::map<std::string, ArtifactFile> repository_files(const Artifact& artifact);

/// Each file with its .sha1, and GROUP/ARTIFACT/maven-metadata.xml with its own: for file://… or a web server.
/// Reads the blobs, for a bundle states no SHA-1.
/// @param artifacts of one version the newest last: of two files at one place it counts, and a POM alone does not hide
/// the .jar of another
/// @throws Error{not_found, blob_corrupt, algorithm_unavailable}
PlainLayout repository_layout(std::span<const Artifact> artifacts, const BlobStore& blobs);

}  // namespace liftlock::maven
