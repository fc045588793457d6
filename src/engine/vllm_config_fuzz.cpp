// A model's config.json, as `model fit --vllm` reads it: numbers that lie end in words.
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "engine/vllm_fit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  Artifact model{.kind = "model", .name = "m", .version = "1", .license = {}, .needs = {}, .files = {}};
  model.files.push_back({RelPath::parse("models/m/a.safetensors"), 1u << 30, sha256("a"), "", {}});
  try {
    const auto config = parse_json({reinterpret_cast<const char*>(data), size});
    const auto fit = engine::judge_vllm(
        model, config,
        {.tensor_parallel_size = 2, .max_model_len = 4096, .quantization = "awq", .gpus = 2, .gpu_memory = 1ull << 34});
    if (fit.findings.size() != 4) __builtin_trap();
  } catch (const Error&) {
    // Refused with words.
  }
  return 0;
}
