// What an artifact was made of: an engine is one file on the medium, and holds the packages that its evidence lists.
#pragma once

#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

/// The inputs of an engine, by its evidence of type "derived" (docs/formats/engine.md), each once, as the artifact that
/// it was: of kind "deb" with architecture, file and evidence, the Source field as its whole `stanza` where that is
/// known; of kind "file" for an archive. What is no such list gives nothing. Empty for other kinds.
std::vector<Artifact> derived_inputs(const Artifact& artifact);

}  // namespace liftlock
