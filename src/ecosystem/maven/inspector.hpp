// Do the files of a Maven artifact lie where its coordinates say, and are they of their kinds? Kind "maven".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::maven {

class MavenInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::maven
