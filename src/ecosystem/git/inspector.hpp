// Is a git bundle whole, are its objects what their names say, and its refs what the artifact says? Does a pointer in
// it ask for each file of Git LFS that came along? Kind "git".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::git {

class BundleInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  bool reads(const Artifact& artifact, std::size_t index) const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::git
