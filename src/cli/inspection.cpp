#include "cli/inspection.hpp"

#include <algorithm>

#include "base/encoding.hpp"

namespace liftlock {

Inspection inspect_here(const Artifact& artifact, std::span<const int> files) {
  for (const auto* inspector : inspectors()) {
    const auto kinds = inspector->kinds();
    if (std::find(kinds.begin(), kinds.end(), artifact.kind) == kinds.end()) continue;
    try {
      return inspector->inspect(artifact, files);
    } catch (const Error& error) {
      return {.findings = {{error.code(), artifact.files[0].path.text(), printable(error.what())}},
              .facts = Json::object()};
    }
  }
  return {.findings = {{ErrorCode::too_new, artifact.files[0].path.text(),
                        "nothing here can inspect the kind '" + printable(artifact.kind) + "'"}},
          .facts = Json::object()};
}

InspectArtifact make_inspect() {
  return [](const Artifact& artifact, const std::vector<UniqueFd>& files) {
    std::vector<int> fds;
    for (const auto& file : files) fds.push_back(file.get());
    return inspect_here(artifact, fds);
  };
}

}  // namespace liftlock
