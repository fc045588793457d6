// What an ecosystem states of a licence, as SPDX writes it:
// https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "base/json.hpp"

namespace liftlock {

/// The licence of an artifact, in its own words: the ecosystem's comes first, then that of its own metadata, then its
/// card's. Empty when nobody states one. @param facts of its inspection
std::string stated_license(const Artifact& artifact, const Json& facts);

/// The identifier of the SPDX licence list, in its own case: "Apache-2.0" of "apache-2.0". Common licences of software,
/// models and data are known; nullopt for any other text.
std::optional<std::string> spdx_license_id(std::string_view text);

/// An expression of known identifiers with AND, OR, WITH and parentheses ("MIT OR Apache-2.0", and "MIT/Apache-2.0" as
/// crates used to write it), its identifiers in their own case; nullopt for any other text.
std::optional<std::string> spdx_license_expression(std::string_view text);

}  // namespace liftlock
