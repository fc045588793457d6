// Both sides: is a model what it claims to be, whole, and free of formats that run code? Facts and rules:
// docs/formats/models.md.
#pragma once

#include <array>

#include "ecosystem/inspector.hpp"

namespace liftlock {

class ModelInspector final : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  /// Memory stays near the size of the largest tensor table; weights are not read.
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock
