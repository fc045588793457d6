#include "engine/vllm_fit.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "crypto/hash.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_gib = 1ull << 30;

/// As of a Llama 3 of 70 billion parameters, quantised with AWQ: 40 GiB of weights in two files.
Artifact model() {
  Artifact out{.kind = "model", .name = "llama-3-70b", .version = "1", .license = {}, .needs = {}, .files = {}};
  for (const auto* name : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"})
    out.files.push_back({RelPath::parse(std::string("models/llama-3-70b/") + name), 20 * k_gib, sha256(name), "", {}});
  return out;
}

Json config() {
  return {{"num_attention_heads", 64},
          {"num_key_value_heads", 8},
          {"num_hidden_layers", 80},
          {"hidden_size", 8192},
          {"head_dim", 128},
          {"max_position_embeddings", 8192},
          {"quantization_config", {{"quant_method", "awq"}}}};
}

/// As it is when it comes from a file.
VllmFit judge(const Json& document, const VllmSettings& settings) {
  return judge_vllm(model(), parse_json(dump_json(document)), settings);
}

/// The settings that are not good, in order.
std::string bad(const VllmFit& fit) {
  std::string out;
  for (const auto& one : fit.findings) out += one.good ? "" : one.setting + " ";
  return out;
}

TEST(VllmFit, TakesWhatVllmTakes) {
  const auto fit = judge(
      config(),
      {.tensor_parallel_size = 2, .max_model_len = 8192, .quantization = "awq", .gpus = 2, .gpu_memory = 80 * k_gib});
  EXPECT_EQ(bad(fit), "");
  EXPECT_EQ(fit.weights, 20 * k_gib);
  EXPECT_EQ(fit.kv_cache, 2u * 80 * 4 * 128 * 2 * 8192) << "half of the heads on each GPU";
  EXPECT_EQ(fit.largest_model_len, 8192u);
}

TEST(VllmFit, NamesEachSettingThatDoesNotSuit) {
  VllmSettings good{.tensor_parallel_size = 2, .max_model_len = 0, .quantization = "", .gpus = 2, .gpu_memory = 0};
  const auto with = [&](auto change) {
    auto settings = good;
    change(settings);
    return bad(judge(config(), settings));
  };
  EXPECT_EQ(with([](auto&) {}), "");
  EXPECT_EQ(with([](auto& s) { s.tensor_parallel_size = 3; }), "tensor_parallel_size ") << "64 heads on 3 GPUs";
  EXPECT_EQ(with([](auto& s) { s.gpus = 1; }), "tensor_parallel_size ");
  EXPECT_EQ(with([](auto& s) { s.max_model_len = 32768; }), "max_model_len ");
  EXPECT_EQ(with([](auto& s) { s.quantization = "gptq"; }), "quantization ");
  EXPECT_EQ(with([](auto& s) { s.quantization = "none"; }), "quantization ");
  EXPECT_EQ(with([](auto& s) { s.gpu_memory = 20 * k_gib; }), "memory ");
}

TEST(VllmFit, KnowsStretchedContextsAndModelsOfSeveralModalities) {
  auto stretched = config();
  stretched["rope_scaling"] = {{"factor", 4.0}, {"original_max_position_embeddings", 8192}};
  EXPECT_EQ(bad(judge(stretched, {.max_model_len = 32768, .quantization = {}, .gpus = 1})), "");
  auto inner = config();
  inner.erase("quantization_config");
  const Json outer = {{"text_config", inner}, {"quantization_config", {{"quant_method", "gptq"}}}};
  EXPECT_EQ(bad(judge(outer, {.quantization = "gptq", .gpus = 1})), "");
}

TEST(VllmFit, LyingNumbersEndInWords) {
  for (const auto* document :
       {"[]", "{}", R"({"num_attention_heads":0,"num_hidden_layers":1})",
        R"({"num_attention_heads":-1,"num_hidden_layers":1})", R"({"num_attention_heads":"64","num_hidden_layers":1})",
        R"({"num_attention_heads":99999999999,"num_hidden_layers":1})"}) {
    EXPECT_EQ(code_of([&] { judge_vllm(model(), parse_json(document), {}); }), ErrorCode::schema_violation) << document;
  }
  auto huge = config();
  huge["num_attention_heads"] = huge["num_key_value_heads"] = huge["num_hidden_layers"] = huge["head_dim"] = 1'000'000;
  huge["max_position_embeddings"] = 4'000'000'000u;
  huge["rope_scaling"] = {{"factor", 1e300}};
  EXPECT_EQ(bad(judge(huge, {.quantization = {}, .gpus = 1, .gpu_memory = k_gib})), "memory ");
}

}  // namespace
}  // namespace liftlock::engine
