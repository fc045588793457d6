// Low side: the table `file`: any file or folder, from a path or a URL, carried as it is.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock {

class FileCollector final : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::optional<std::vector<std::string>> local_files(const StackEntry& entry,
                                                      const std::filesystem::path& stack_folder) const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

}  // namespace liftlock
