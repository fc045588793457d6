// Bills of materials: CycloneDX 1.6 JSON (ECMA-424), models as its machine-learning-model components with a model card,
// and SPDX 2.3 JSON (ISO/IEC 5962:2021 and its successor). The same artifacts give the same bytes: no time, no random
// serial number. What stands where: docs/formats/sbom.md.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock {

/// Where write_spdx's document stands in a bundle, beside k_sbom_path; bundles of older versions have none.
inline constexpr std::string_view k_spdx_path = "manifest/sbom.spdx.json";

/// What the inspector learnt of an artifact (Catalog::inspection()): of models the architecture, the quantisation and
/// what the model card says. Empty: nothing is known beyond the artifact itself.
using InspectedFacts = std::function<Json(const Artifact&)>;

/// @param stack what the bill is of, in a word
/// @param artifacts in any order; one id may be there with several contents, as a store holds them
std::string write_sbom(std::string_view stack, const std::vector<Artifact>& artifacts,
                       const InspectedFacts& inspected = {});

/// Licences that are not on SPDX's list stand as LicenseRef-… with the words that the ecosystem uses. Times are those
/// of the epoch, since the document must not differ from machine to machine.
std::string write_spdx(std::string_view stack, const std::vector<Artifact>& artifacts,
                       const InspectedFacts& inspected = {});

/// The package URL of an artifact (github.com/package-url/purl-spec); empty where the kind has no type.
std::string package_url(const Artifact& artifact);

}  // namespace liftlock
