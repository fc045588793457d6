// Both sides: hands every artifact to its inspector, on all cores, before anybody sees it. What passed is remembered by
// its bytes: the layer that many images share, and the artifact that the next bundle brings again, are looked at once.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/reporter.hpp"
#include "ecosystem/inspector.hpp"
#include "os/fd.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// A read-only descriptor of a file whose digest was checked.
using OpenChecked = std::function<UniqueFd(const Digest&)>;

/// Who inspects. Each is called from several threads.
struct Inspect {
  /// One artifact; opens of its files only what its inspector reads.
  std::function<Inspection(const Artifact&, const OpenChecked&, const FileInspections&)> artifact;
  /// Indexes of the files that `file` is asked about first; nullptr: of none.
  std::function<std::vector<std::size_t>(const Artifact&)> alone = nullptr;
  /// One file of an artifact of this kind, by its bytes alone.
  std::function<Inspection(std::string_view kind, int file)> file = nullptr;
  /// Changes when the inspectors' code does: what passed another version is looked at again. Empty: nothing is
  /// remembered.
  std::string version = {};
};

/// @param catalog remembers what passed; only the calling thread uses it
/// @return of each artifact what its inspector learnt, as one line of JSON; empty where that is nothing
/// @throws Error with the code of the first finding
std::vector<std::string> inspect_all(const std::vector<Artifact>& artifacts, const Inspect& inspect,
                                     const OpenChecked& open, Catalog& catalog, Reporter& reporter);

}  // namespace liftlock
