// Low side, table [rpm.NAME]: packages of an RPM repository with everything they need.
// Chain of evidence: repomd.xml (gpgv, the named keys only) → primary.xml (SHA-2 in repomd.xml) → .rpm (SHA-2 in
// primary.xml), and each package's own signature by those keys. Formats: docs/formats/rpm.md.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::rpm {

class RpmCollector : public Collector {
 public:
  std::string_view table() const override { return "rpm"; }
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  /// One artifact "rpm" per package, "rpm-key" of the key, "rpm-index" of each repository something came from. The
  /// packages go to the store: their signatures stand in them.
  /// @throws Error{unresolvable, release_unsigned, stack_invalid, schema_violation, digest_mismatch, tool_missing}
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

/// rpm's name of the architecture of "linux/amd64", "linux/arm64" … @throws Error{stack_invalid}
std::string rpm_architecture(std::string_view platform);

}  // namespace liftlock::rpm
