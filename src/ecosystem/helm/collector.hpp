// Low side: Helm charts, from repositories, URLs and files. Format: docs/formats/helm.md.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::helm {

class ChartCollector : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
  CheckResult check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                    CollectContext& context) const override;
};

}  // namespace liftlock::helm
