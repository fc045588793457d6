// [advisories.NAME]: a database of known vulnerabilities in the OSV format. docs/formats/advisories.md
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::advisory {

/// An export is made anew every day at the same address, so the version is what was taken, and nobody but the address
/// vouches for it ("first-use") unless the stack states its digest.
class AdvisoriesCollector : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

}  // namespace liftlock::advisory
