// A module proxy: which versions of which modules there are, and what it says of them. As the mirror serves it, and as
// a folder (GOPROXY=file://…): https://go.dev/ref/mod#goproxy-protocol
#pragma once

#include <map>
#include <span>
#include <string>

#include "ecosystem/plain_layout.hpp"

namespace liftlock::go {

/// The files of one version by what their names end in: "zip", "mod", "info".
using Ends = std::map<std::string, ArtifactFile, std::less<>>;

struct OlderVersion {
  bool operator()(const std::string& a, const std::string& b) const;
};
using Versions = std::map<std::string, Ends, OlderVersion>;
using Modules = std::map<std::string, Versions, std::less<>>;  ///< by module path

/// Adds to what is known of the version: a .mod alone, of one stack, does not hide the .zip of another. Of two files
/// with one name the one that was added last counts. What is no module, or has no sound version, is passed over.
void add_module(Modules& modules, const Artifact& artifact);

/// A line for each version that can be had whole; those that are there for their go.mod alone are none to choose from,
/// and pseudo-versions are never listed.
std::string version_list(const Versions& versions);
/// The .info of the version that go chooses: the highest release, else the highest pre-release, else the highest
/// pseudo-version. nullptr where none can be had whole.
const ArtifactFile* latest_info(const Versions& versions);

/// PATH/@v/VERSION.{info,mod,zip}, PATH/@v/list and PATH/@latest, with '!' and the small letter for capitals.
/// @param artifacts of one module and version the newest last
PlainLayout module_proxy(std::span<const Artifact> artifacts);

}  // namespace liftlock::go
