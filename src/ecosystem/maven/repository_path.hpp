// Where a file stands in a Maven repository: GROUP/ARTIFACT/VERSION/ARTIFACT-VERSION….END, dots of the group as
// folders. Source: https://maven.apache.org/repository/layout.html
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace liftlock::maven {

struct RepositoryPath {
  std::string group;     ///< "org.apache.commons"
  std::string artifact;  ///< "commons-lang3"
  std::string version;   ///< "3.14.0"
  std::string file;      ///< "commons-lang3-3.14.0.jar"

  /// "org.apache.commons:commons-lang3"
  std::string name() const { return group + ":" + artifact; }
  /// "org/apache/commons/commons-lang3/3.14.0"
  std::string folder() const;
};

/// nullopt for what is not there in that layout. Letters, digits and -._+~ only.
std::optional<RepositoryPath> parse_repository_path(std::string_view path);

/// Of a name "GROUP:ARTIFACT" and a version: where its files must lie. nullopt for what is no such name.
std::optional<std::string> folder_of(std::string_view name, std::string_view version);

/// maven-metadata.xml of GROUP/ARTIFACT: which versions there are
/// (maven.apache.org/ref/3.9.9/maven-repository-metadata).
/// @param when it was changed last, "20261129120000", UTC; empty: it does not say
std::string module_metadata(std::string_view group, std::string_view artifact, const std::set<std::string>& versions,
                            std::string_view when = {});

}  // namespace liftlock::maven
