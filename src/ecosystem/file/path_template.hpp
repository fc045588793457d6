// A text of config.toml with places in it that are filled for each file: "el9/{arch}/{file}". docs/formats/push.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "artifact/artifact.hpp"

namespace liftlock {

class PathTemplate {
 public:
  /// @param where of config.toml it stands: "'path' of [repository.rpm]"
  /// @throws Error{config_invalid} for a place that there is not, or a brace without its other
  PathTemplate(std::string text, std::string where);

  /// {path} is where the file is in a bundle, {file} its name, {name} and {version} are the artifact's, {arch} is the
  /// architecture in the name of a .deb or .rpm.
  /// @param values percent: each is escaped but for its '/', for they may be anything
  /// @throws Error{config_invalid} where it wants an architecture, and the file's name has none
  enum class Values : std::uint8_t { plain, percent };
  std::string fill(const Artifact& artifact, const ArtifactFile& file, Values values) const;

 private:
  std::string value(std::string_view place, const Artifact& artifact, const ArtifactFile& file) const;

  std::string m_text;
  std::string m_where;
};

}  // namespace liftlock
