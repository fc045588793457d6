// Low side, table [apt.NAME]: packages of an apt repository with everything they need.
// Chain of evidence: InRelease (gpgv, the source's keyring only) → Packages (SHA-256 in InRelease) → .deb (SHA-256 in
// Packages). Formats of the artifacts: docs/formats/apt.md.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::apt {

class AptCollector : public Collector {
 public:
  std::string_view table() const override { return "apt"; }
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  /// One artifact "deb" per package. InRelease and Packages go to the store.
  /// @throws Error{unresolvable, release_unsigned, release_expired, stack_invalid, config_invalid, schema_violation}
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
};

/// Debian's name of the architecture of "linux/amd64", "linux/arm64", "linux/arm/v7" …
/// @throws Error{stack_invalid}
std::string debian_architecture(std::string_view platform);

}  // namespace liftlock::apt
