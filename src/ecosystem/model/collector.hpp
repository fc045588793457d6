// Low side: the table `model`: GGUF, safetensors and ONNX models from a local file or folder, a URL, or a Hugging Face
// Hub. docs/guides/models.md is its manual.
#pragma once

#include "ecosystem/collector.hpp"

namespace liftlock {

class ModelCollector final : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  /// MODEL_MANIFEST.sha256 of a local folder.
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  std::optional<std::vector<std::string>> local_files(const StackEntry& entry,
                                                      const std::filesystem::path& stack_folder) const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
  /// Does `include` leave the tokenizer behind? Where nothing is included by name, its absence is a note of fetch.
  CheckResult check(const StackEntry& entry, const std::vector<Artifact>& artifacts,
                    CollectContext& context) const override;
};

/// The table `dataset`: the same sources, but for Ollama. docs/guides/datasets.md is its manual.
class DatasetCollector final : public Collector {
 public:
  std::string_view table() const override;
  std::string_view summary() const override;
  std::span<const KeySpec> keys() const override;
  std::vector<std::filesystem::path> input_files(const StackEntry& entry,
                                                 const std::filesystem::path& stack_folder) const override;
  std::optional<std::vector<std::string>> local_files(const StackEntry& entry,
                                                      const std::filesystem::path& stack_folder) const override;
  Collected resolve(const StackEntry& entry, CollectContext& context) const override;
  std::vector<FetchJob> plan(const Artifact& artifact, const StackEntry& entry, CollectContext& context) const override;
};

}  // namespace liftlock
