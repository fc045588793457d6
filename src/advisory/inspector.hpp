// Artifacts of kind "advisories": every record is read, in the cell. docs/formats/advisories.md
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::advisory {

/// Facts: "records", "ecosystems" (name → records), "newest" (the latest `modified`).
class AdvisoriesInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::advisory
