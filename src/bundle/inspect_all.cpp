#include "bundle/inspect_all.hpp"

#include "base/encoding.hpp"
#include "os/parallel.hpp"

namespace liftlock {

std::vector<std::string> inspect_all(const std::vector<Artifact>& artifacts, const InspectArtifact& inspect,
                                     const OpenChecked& open, Reporter& reporter) {
  ProgressTask progress(reporter, "inspect", Unit::items, artifacts.size());
  std::vector<std::string> facts(artifacts.size());
  parallel_for(artifacts.size(), [&](std::size_t i) {
    const auto& artifact = artifacts[i];
    const auto inspection = inspect(artifact, open);
    if (!inspection.findings.empty()) {
      const auto& finding = inspection.findings[0];
      fail(finding.code, "{}: '{}': {}", printable(artifact.id()), finding.path, finding.message);
    }
    if (!inspection.facts.empty()) facts[i] = dump_json_line(inspection.facts);
    progress.advance(1);
  });
  return facts;
}

}  // namespace liftlock
