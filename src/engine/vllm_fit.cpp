#include "engine/vllm_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_kv_bytes = 2;     ///< of one value of the cache: float16 or bfloat16
constexpr std::uint64_t k_most = 1u << 20;  ///< of heads, layers and their widths
constexpr std::uint64_t k_longest = 1ull << 32;

/// 0 where it is missing, no whole number, or one that no model has.
std::uint64_t number(const Json& object, const char* key, std::uint64_t most = k_most) {
  const auto at = object.find(key);
  if (at == object.end() || !at->is_number_unsigned()) return 0;
  const auto value = at->get<std::uint64_t>();
  return value < most ? value : 0;
}

const Json& part_for_text(const Json& config) {
  const auto at = config.find("text_config");
  return at != config.end() && at->is_object() && number(config, "num_attention_heads") == 0 ? *at : config;
}

std::string method_of(const Json& config) {
  const auto at = config.find("quantization_config");
  if (at == config.end() || !at->is_object()) return "none";
  const auto method = at->find("quant_method");
  return method != at->end() && method->is_string() ? to_lower(method->get<std::string>()) : std::string("unknown");
}

/// Tokens that the model was made for, stretched as rope_scaling says.
std::uint64_t made_for(const Json& text) {
  const auto tokens = number(text, "max_position_embeddings", k_longest);
  const auto scaling = text.find("rope_scaling");
  if (scaling == text.end() || !scaling->is_object()) return tokens;
  const auto factor = scaling->find("factor");
  const auto original = number(*scaling, "original_max_position_embeddings", k_longest);
  if (factor == scaling->end() || !factor->is_number()) return tokens;
  const auto times = factor->get<double>();
  if (!(times >= 1) || times > 1024) return tokens;
  // Some give the stretched length as max_position_embeddings, and the one before it beside the factor.
  const auto stretched = static_cast<std::uint64_t>(static_cast<double>(original != 0 ? original : tokens) * times);
  return std::max(tokens, stretched);
}

std::uint64_t weights_of(const Artifact& model) {
  std::uint64_t sum = 0;
  for (const auto& file : model.files) {
    const auto name = file.path.filename();
    if (name.ends_with(".safetensors") || name.ends_with(".bin") || name.ends_with(".gguf")) sum += file.size;
  }
  return sum;
}

}  // namespace

bool VllmFit::good() const {
  return std::all_of(findings.begin(), findings.end(), [](const auto& one) { return one.good; });
}

VllmFit judge_vllm(const Artifact& model, const Json& config, const VllmSettings& settings) {
  if (!config.is_object()) fail(ErrorCode::schema_violation, "config.json is no object");
  const auto& text = part_for_text(config);
  const auto heads = number(text, "num_attention_heads"), layers = number(text, "num_hidden_layers");
  if (heads == 0 || layers == 0)
    fail(ErrorCode::schema_violation, "config.json does not say num_attention_heads and num_hidden_layers");
  const auto kv_heads = number(text, "num_key_value_heads") != 0 ? number(text, "num_key_value_heads") : heads;
  const auto head_dim = number(text, "head_dim") != 0 ? number(text, "head_dim") : number(text, "hidden_size") / heads;
  const std::uint64_t parallel = std::max(settings.tensor_parallel_size, 1u);

  VllmFit fit;
  const auto say = [&](std::string setting, bool good, std::string words) {
    fit.findings.push_back({std::move(setting), good, std::move(words)});
  };
  if (heads % parallel != 0) {
    say("tensor_parallel_size", false,
        fmt::format("{} does not divide the model's {} attention heads", parallel, heads));
  } else if (settings.gpus < parallel) {
    say("tensor_parallel_size", false, fmt::format("{} GPUs are wanted, and there are {}", parallel, settings.gpus));
  } else {
    say("tensor_parallel_size", true,
        fmt::format("{} of {} GPUs, {} of {} heads on each", parallel, settings.gpus, heads / parallel, heads));
  }

  const auto most = made_for(text);
  fit.max_model_len = settings.max_model_len != 0 ? settings.max_model_len : most;
  if (most == 0) {
    say("max_model_len", settings.max_model_len != 0,
        "config.json does not say how long a context the model was made for");
  } else {
    const bool good = fit.max_model_len <= most;
    say("max_model_len", good,
        fmt::format("{} tokens{} the {} that the model was made for", fit.max_model_len,
                    good ? ", of" : " are more than", most));
  }

  const auto method = method_of(config);
  const auto wanted = settings.quantization.empty() ? method : settings.quantization;
  say("quantization", wanted == method,
      wanted == method ? fmt::format("{}, as config.json says", printable(method))
                       : fmt::format("{} is wanted, and the weights are {}", printable(wanted),
                                     method == "none" ? "not quantised" : printable(method)));

  fit.weights = weights_of(model) / parallel;
  // A head of keys and values is on one GPU at least; with fewer of them than GPUs each is on several.
  const auto kv_on_each = std::max<std::uint64_t>(1, kv_heads / parallel);
  const auto token = 2 * layers * kv_on_each * head_dim * k_kv_bytes;
  const bool is_countable = token == 0 || fit.max_model_len <= ~std::uint64_t{0} / token;
  fit.kv_cache = is_countable ? token * fit.max_model_len : ~std::uint64_t{0};
  if (settings.gpu_memory != 0) {
    const auto budget = settings.gpu_memory / 10 * 9;  // gpu_memory_utilization of vLLM when nobody says otherwise
    if (fit.weights < budget && token != 0) fit.largest_model_len = (budget - fit.weights) / token;
    if (most != 0) fit.largest_model_len = std::min(fit.largest_model_len, most);
    const bool good = fit.weights < budget && fit.kv_cache <= budget - fit.weights;
    say("memory", good,
        fmt::format("on each GPU {} of weights and {} for one request of that length, {} the {} that vLLM takes",
                    format_size(fit.weights), format_size(fit.kv_cache), good ? "of" : "more than",
                    format_size(budget)));
  }
  return fit;
}

}  // namespace liftlock::engine
