// Low side: repositories, fetched by git itself, as bundles (gitformat-bundle(5)). Table "git".
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::git {

class GitCollector : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  /// Makes the bundle anew from the commits that are locked: another git may write other bytes, which is
  /// Error{digest_mismatch}.
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

}  // namespace liftlock::git
