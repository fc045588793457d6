// Is a git bundle whole, are its objects what their names say, and its refs what the artifact says? Kind "git".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::git {

class BundleInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::git
