// [go.NAME]: every module that a go.sum lists, with the hashes that stand there.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::go {

class GoCollector : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
  CheckResult check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                    CollectContext& context) const override;
};

}  // namespace liftlock::go
