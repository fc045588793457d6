// What a model was made for.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json.hpp"

namespace liftlock::engine {

enum class ModelTask : std::uint8_t { text, embeddings, reranking, speech };
/// "texts", "embeddings", "reranking", "speech"
std::string_view name(ModelTask task);

/// Speech by the architecture; else by the pooling that its GGUF names (llama.cpp's llama_pooling_type), or else by an
/// architecture that only encodes.
/// @param facts what inspection learnt of the artifact; may be empty: text
ModelTask task_of(const Json& facts);

}  // namespace liftlock::engine
