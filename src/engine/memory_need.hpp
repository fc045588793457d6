// What a model will take of the memory, told before it is loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "artifact/artifact.hpp"
#include "base/error.hpp"
#include "base/json.hpp"

namespace liftlock::engine {

/// Where an engine reads a model from.
enum class ModelMemory : std::uint8_t {
  file,    ///< the store's files, through the page cache
  sealed,  ///< a copy in sealed memory, made while it was hashed
};

struct MemoryNeed {
  unsigned context = 0;           ///< tokens of one request
  std::uint64_t weights = 0;      ///< bytes of the GGUF files, and a twentieth
  std::uint64_t kv_cache = 0;     ///< keys and values of every slot at full context, f16
  std::uint64_t computation = 0;  ///< buffers of a batch, and the engine itself
  /// The copy of all files in sealed memory. Unlike the page cache it cannot be given up once an engine has repacked
  /// the weights for its CPU, so both count.
  std::uint64_t sealed = 0;
  std::uint64_t total() const { return weights + kv_cache + computation + sealed; }
};

/// The context that a request gets unless somebody says otherwise: what the model was trained for, at most this.
inline constexpr unsigned k_default_context = 8192;

/// An estimate that is rather too high: without facts about grouped-query attention every head has keys of its own.
/// @param facts what inspection learnt of the artifact; may be empty
/// @param context tokens of one request; 0: the default, at most what the model was trained for
MemoryNeed memory_need(const Artifact& artifact, const Json& facts, unsigned context, unsigned slots,
                       ModelMemory memory = ModelMemory::file);

/// Of an engine that hears one recording: the model's .bin file, what whisper.cpp computes in, and the sound. Rather
/// too high, too: https://github.com/ggml-org/whisper.cpp#memory-usage, rounded up. There is no context.
/// @param sound the recording has no more of it
MemoryNeed speech_memory_need(const Artifact& artifact, std::chrono::seconds sound,
                              ModelMemory memory = ModelMemory::file);

/// Error{model_unfit}: not even with all other models gone.
/// @param model its name
Error larger_than_budget(std::string_view model, std::uint64_t need, std::uint64_t budget);

/// How a model gets on with a certain amount of memory.
struct Fit {
  std::uint64_t budget = 0;      ///< bytes that it may take
  bool fits = false;             ///< with the context that was asked for
  unsigned largest_context = 0;  ///< tokens of one request that just fit, at most what it was trained for; 0: none
};
/// @param context, slots as for memory_need()
Fit fit_into(std::uint64_t budget, const Artifact& artifact, const Json& facts, unsigned context, unsigned slots,
             ModelMemory memory = ModelMemory::file);

/// Bytes of memory that this machine has.
std::uint64_t machine_memory();
/// What engines may take of it unless somebody says otherwise: 80 %.
std::uint64_t default_memory_budget();

}  // namespace liftlock::engine
