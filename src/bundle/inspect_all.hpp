// Both sides: hands every artifact to its inspector, on all cores, before anybody sees it.
#pragma once

#include <functional>
#include <vector>

#include "base/reporter.hpp"
#include "ecosystem/inspector.hpp"
#include "os/fd.hpp"

namespace liftlock {

/// A read-only descriptor of a file whose digest was checked.
using OpenChecked = std::function<UniqueFd(const Digest&)>;

/// Inspects one artifact; opens of its files only what its inspector reads. Called from several threads.
using InspectArtifact = std::function<Inspection(const Artifact&, const OpenChecked&)>;

/// @return of each artifact what its inspector learnt, as one line of JSON; empty where that is nothing
/// @throws Error with the code of the first finding
std::vector<std::string> inspect_all(const std::vector<Artifact>& artifacts, const InspectArtifact& inspect,
                                     const OpenChecked& open, Reporter& reporter);

}  // namespace liftlock
