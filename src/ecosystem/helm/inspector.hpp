// Is a chart what its artifact names, and harmless to unpack? Format: docs/formats/helm.md.
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::helm {

constexpr std::string_view k_kind = "chart";

/// Facts: "chart" and "files" as docs/formats/helm.md has them, and "license" where an annotation states one. `chart`
/// is what the artifact's facts must state; without facts (while it is locked) nothing is compared.
class ChartInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

/// "charts/NAME-VERSION.tgz"
std::string path_in_bundle(std::string_view name, std::string_view version);

}  // namespace liftlock::helm
