// Is an "engine" artifact a proper engine package, of the name and version that it claims?
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::engine {

class EngineInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  /// Facts: name, version, variant, architecture, executables, members, unpacked_size.
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::engine
