// A chart as an OCI artifact, as `helm push` makes it (https://helm.sh/docs/topics/registries/), but without a time, so
// that the same chart gives the same bytes.
#pragma once

#include "artifact/artifact.hpp"
#include "ecosystem/oci/made_registry.hpp"

namespace liftlock::helm {

/// The one file of an artifact of kind "chart". @throws Error{package_malformed} for what is no such artifact
const ArtifactFile& chart_archive(const Artifact& chart);

/// The chart's metadata as the config, its archive as the one layer. Reads nothing.
/// @throws Error{package_malformed}; Error{usage} where its name is none that a registry takes
oci::MadeManifest make_chart_manifest(const Artifact& chart);

}  // namespace liftlock::helm
