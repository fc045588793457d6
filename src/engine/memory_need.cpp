#include "engine/memory_need.hpp"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock::engine {
namespace {

constexpr std::uint64_t k_engine = 64u << 20;
constexpr std::uint64_t k_batch = 512;                  ///< tokens that llama.cpp computes at a time
constexpr std::uint64_t k_longest_context = 16u << 20;  ///< tokens; what `model fit` takes
constexpr std::uint64_t k_unknown_kv_token = 1u << 19;  ///< of 8 billion parameters without grouped-query attention
constexpr std::uint64_t k_speech_engine = 256u << 20;
/// Of sound: samples of 16 kHz as integers and twice as floats, and its spectrum in 128 bands.
constexpr std::uint64_t k_sound_second = 256u << 10;
/// A GGUF file may claim anything: so bounded, no product of its numbers overflows.
constexpr std::uint64_t k_largest_number = 1u << 28, k_largest_kv_token = 1u << 28;

std::uint64_t number(const Json& facts, const char* key) {
  const auto at = facts.find(key);
  return at != facts.end() && at->is_number_integer() ? std::min(at->get<std::uint64_t>(), k_largest_number) : 0;
}

/// Bytes of the keys and values of one token.
std::uint64_t kv_of_token(const Json& facts) {
  const auto files = facts.find("gguf");
  const auto main = facts.value("gguf_main", std::string());
  if (files == facts.end()) return k_unknown_kv_token;
  for (const auto& file : *files) {
    if (file.value("path", std::string()) != main) continue;
    const auto layers = number(file, "block_count"), width = number(file, "embedding_length");
    const auto heads = number(file, "head_count"), kv_heads = number(file, "head_count_kv");
    if (layers == 0 || width == 0) break;
    const auto full = 2 * layers * width * 2;
    const auto used = heads != 0 && kv_heads != 0 && kv_heads < heads ? full / heads * kv_heads : full;
    return std::clamp<std::uint64_t>(used, 1, k_largest_kv_token);
  }
  return k_unknown_kv_token;
}

}  // namespace

MemoryNeed memory_need(const Artifact& artifact, const Json& facts, unsigned context, unsigned slots,
                       ModelMemory memory) {
  MemoryNeed need;
  for (const auto& file : artifact.files) {
    if (file.path.filename().ends_with(".gguf")) need.weights += file.size;
  }
  need.weights += need.weights / 20;
  if (memory == ModelMemory::sealed) need.sealed = artifact.total_size();
  const auto trained = number(facts, "context_length");
  const auto wanted = context != 0 ? context : k_default_context;
  need.context = trained == 0 ? wanted : static_cast<unsigned>(std::min<std::uint64_t>(wanted, trained));
  need.kv_cache = kv_of_token(facts) * need.context * slots;
  need.computation = k_engine + k_batch * number(facts, "vocabulary") * sizeof(float);
  return need;
}

MemoryNeed speech_memory_need(const Artifact& artifact, std::chrono::seconds sound, ModelMemory memory) {
  MemoryNeed need;
  for (const auto& file : artifact.files) {
    if (file.path.filename().ends_with(".bin")) need.weights += file.size;
  }
  if (memory == ModelMemory::sealed) need.sealed = artifact.total_size();
  need.computation =
      k_speech_engine + need.weights / 10 * 3 + k_sound_second * static_cast<std::uint64_t>(sound.count());
  return need;
}

Error larger_than_budget(std::string_view model, std::uint64_t need, std::uint64_t budget) {
  return {ErrorCode::model_unfit,
          fmt::format("'{}' needs about {}, and engines may use {}", printable(model), format_size(need),
                      format_size(budget)),
          "unloading others does not help: raise memory under [models] of config.toml, or take a smaller model; one of "
          "texts needs less with a smaller context (`liftlock model fit`)"};
}

Fit fit_into(std::uint64_t budget, const Artifact& artifact, const Json& facts, unsigned context, unsigned slots,
             ModelMemory memory) {
  const auto need = memory_need(artifact, facts, context, slots, memory);
  Fit out{.budget = budget, .fits = need.total() <= budget, .largest_context = 0};
  const auto fixed = need.weights + need.computation + need.sealed;
  if (fixed >= budget) return out;
  const auto tokens = (budget - fixed) / (kv_of_token(facts) * slots);
  const auto trained = number(facts, "context_length");
  const auto most = trained == 0 ? k_longest_context : std::min(trained, k_longest_context);
  out.largest_context = static_cast<unsigned>(std::min(tokens, most));
  return out;
}

std::uint64_t machine_memory() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t default_memory_budget() {
  return machine_memory() / 5 * 4;
}

}  // namespace liftlock::engine
