// Low side, table [engine.NAME]: an inference engine made of Debian packages, or of an archive that its makers publish
// and the Debian packages of the libraries that it needs, as one relocatable package.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock::engine {

/// The keys of [apt.NAME], and name, variant, version, executables, library_path, archive, sha256. The artifact is of
/// kind "engine"; its evidence, type "derived", lists the inputs with where they are and why they are believed, so that
/// plan() can make the same bytes again.
class EngineCollector : public Collector {
 public:
  EngineCollector();
  std::string_view table() const override { return "engine"; }
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override { return m_keys; }
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  /// Downloads the inputs and builds the package once, to know its digest; the package stays in the store.
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  /// Fetches those inputs that the store lacks at once; the job itself builds the package.
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;

 private:
  std::vector<KeySpec> m_keys;
};

}  // namespace liftlock::engine
