// Artifacts that others' packages hold beside images: Helm charts, and files as they are.
#pragma once

#include <string>
#include <vector>

#include "intake/shape.hpp"

namespace liftlock {

/// A file of an artifact, staged, and where it came from.
struct StagedPart {
  std::string path;  ///< below the artifact's own folder; of a chart: not used
  Digest digest;
  std::string origin;
  std::vector<Evidence> evidence;
};

/// A chart, called as its Chart.yaml says. @throws Error{package_malformed}, and what a cell may
Artifact make_chart(const StagedPart& part, const StagedFiles& staged, const ImportCells& cells);

/// Files as one artifact of kind "file", below files/FOLDER/, or below files/ where the folder is empty. Without a
/// version it gets that of its content. Names are made portable, and a remark says which were not. @throws
/// Error{path_unsafe}
Artifact make_files(const std::string& name, const std::string& version, const std::string& folder,
                    const std::vector<StagedPart>& parts, StagedFiles& staged);

}  // namespace liftlock
