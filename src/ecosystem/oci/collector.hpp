// Low side: the table `image` of the stack.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::oci {

/// Images from registries, `docker save` archives and OCI layout folders. A tag is always pinned to a digest, with a
/// note; a tag that says of itself that it moves (latest, stable …) is refused unless moving_tag = true.
class ImageCollector : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  /// @throws Error{stack_invalid, moving_tag, unresolvable, digest_mismatch, http_status, …}
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  bool resolves_at_once() const override { return true; }
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

}  // namespace liftlock::oci
