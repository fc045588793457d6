// Is a tarball the package that its artifact names, and harmless to unpack? Format: docs/formats/npm.md.
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::npm {

constexpr std::string_view k_kind = "npm";

/// Members of an artifact's facts; docs/formats/npm.md says what they mean.
constexpr std::string_view k_fact_manifest = "manifest";
constexpr std::string_view k_fact_integrity = "integrity";
constexpr std::string_view k_fact_shasum = "shasum";

/// Its facts are those that an artifact of this kind has: the collector takes them from here, and every later
/// inspection refuses an artifact that states others. Without facts (while it is locked) nothing is compared.
class PackageInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

/// "packages/npm/@scope/name/name-1.0.0.tgz"
std::string path_in_bundle(std::string_view name, std::string_view version);

}  // namespace liftlock::npm
