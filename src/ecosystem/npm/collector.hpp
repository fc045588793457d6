// Low side: the tarballs of a package-lock.json. Format: docs/formats/npm.md.
#pragma once

#include <map>
#include <mutex>

#include "ecosystem/collector.hpp"
#include "ecosystem/npm/client_config.hpp"

namespace liftlock::npm {

/// The lock states SHA-512 (evidence "lock-hash"), which is compared in the pass that makes the SHA-256; so locking
/// downloads what it did not lock before. What a tarball holds is read by the inspector in a cell.
class PackageCollector : public Collector {
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

 private:
  mutable std::mutex m_mutex;
  mutable std::map<std::filesystem::path, Credentials> m_credentials;  ///< by project: asking npm takes a moment
};

}  // namespace liftlock::npm
