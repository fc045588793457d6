// Do the files of a Maven artifact lie where its coordinates say, do its POMs say the same, and are they of their
// kinds? Kind "maven".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::maven {

/// What the artifact's POM says (pom.hpp), for the collector.
inline constexpr const char* k_fact_pom = "pom";

/// Facts: "files" (how many), "license" and "pom" where there is a POM.
class MavenInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::maven
