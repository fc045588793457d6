// Is a Go module what its name claims, and its go.sum hashes what they were? Kind "go-module".
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::go {

class ModuleInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::go
