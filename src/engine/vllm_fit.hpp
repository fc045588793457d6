// Whether settings of a vLLM service suit a model and the GPUs that it will have (S14): judged from the model's own
// config.json before anybody waits for vLLM to load it and to refuse. Terms and rules are vLLM's engine arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/json.hpp"

namespace liftlock::engine {

struct VllmSettings {
  unsigned tensor_parallel_size = 1;
  std::uint64_t max_model_len = 0;  ///< tokens; 0: as long as the model was made for
  std::string quantization;         ///< "awq", "gptq", "none"; empty: as config.json says
  unsigned gpus = 0;
  std::uint64_t gpu_memory = 0;  ///< bytes of the smallest of them; 0: not known, and not judged
};

/// One setting, and what was found.
struct VllmFinding {
  std::string setting;  ///< "tensor_parallel_size"
  bool good = false;
  std::string words;
};

struct VllmFit {
  std::vector<VllmFinding> findings;
  std::uint64_t max_model_len = 0;      ///< what was judged; 0: config.json does not say
  std::uint64_t weights = 0;            ///< bytes on each GPU
  std::uint64_t kv_cache = 0;           ///< bytes on each GPU, of one request of max_model_len tokens
  std::uint64_t largest_model_len = 0;  ///< what fits on each GPU; 0: nothing, or not known
  bool good() const;
};

/// @param config the model's config.json; of a model of several modalities the part for text is looked at
/// @throws Error{schema_violation} for a config.json without num_attention_heads or num_hidden_layers
VllmFit judge_vllm(const Artifact& model, const Json& config, const VllmSettings& settings);

}  // namespace liftlock::engine
