// How much text a request holds, told before an engine turns it into tokens: that costs more than it looks.
#pragma once

#include <cstdint>

#include "base/json.hpp"

namespace liftlock {

/// No tokenizer that we know of has a longer token (128 blanks, in those of GPT-4o and Llama 3), so a text of more
/// bytes than this for each token of a context cannot fit into it.
inline constexpr std::uint64_t k_longest_token = 128;

/// The fewest tokens that an engine's request can have: bytes of texts by the longest token, token numbers as they are.
/// Of several inputs that an engine takes one by one (embeddings, documents) the longest counts. Images and sounds
/// count nothing.
std::uint64_t fewest_tokens(const Json& body);

}  // namespace liftlock
