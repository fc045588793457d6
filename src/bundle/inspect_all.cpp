#include "bundle/inspect_all.hpp"

#include "base/encoding.hpp"
#include "os/parallel.hpp"

namespace liftlock {

void inspect_all(const std::vector<Artifact>& artifacts, const InspectArtifact& inspect, const OpenChecked& open,
                 Reporter& reporter) {
  ProgressTask progress(reporter, "inspect", Unit::items, artifacts.size());
  parallel_for(artifacts.size(), [&](std::size_t i) {
    const auto& artifact = artifacts[i];
    const auto inspection = inspect(artifact, open);
    if (!inspection.findings.empty()) {
      const auto& finding = inspection.findings[0];
      fail(finding.code, "{}: '{}': {}", printable(artifact.id()), finding.path, finding.message);
    }
    progress.advance(1);
  });
}

}  // namespace liftlock
