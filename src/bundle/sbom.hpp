// The bill of materials of a bundle: CycloneDX 1.6 JSON (ECMA-424), models included. The same artifacts give the same
// bytes: no time, no random serial number.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

/// @param artifacts sorted by id
std::string write_sbom(std::string_view stack, const std::vector<Artifact>& artifacts);

/// The package URL of an artifact (github.com/package-url/purl-spec); empty where the kind has no type.
std::string package_url(const Artifact& artifact);

}  // namespace liftlock
