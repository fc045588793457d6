// What a client of the OpenAI API may ask of an engine: an allow-list of fields with their types and ranges. An engine
// reads many more (slot numbers, context shifting, samplers, adapters), and several of those have been holes in it;
// what is not listed here never reaches one. A request is refused as a whole, with the field named, rather than cut.
//
// Fields: https://platform.openai.com/docs/api-reference, and those of the rerank API that engines share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace liftlock {

/// For parse_json() of a request's body, in each of the three dialects.
inline constexpr JsonLimits k_request_limits{.max_bytes = 16u << 20, .max_depth = 64};

/// Tokens that might have been chosen instead, for each of an answer.
inline constexpr std::uint8_t k_max_alternatives = 20;

struct EngineRequest {
  Json body;              ///< for the engine: only known fields, each of its type and in its range
  std::string_view path;  ///< of the engine: "/v1/chat/completions"; lives as long as the program
  std::string model;      ///< as the client named it
  bool stream = false;
  /// The client did not ask for usage, and we did: the last chunk, whose `choices` is empty, is not for it.
  bool drop_usage_chunk = false;
  /// Members that the body lacks because the client wants none: not even what the model's makers want there.
  std::set<std::string_view> unwanted = {};
};

// Each @throws Error{bad_request} naming the field, and for an unknown one the nearest that is known.

/// POST /v1/chat/completions
EngineRequest narrow_chat_request(const Json& request);
/// POST /v1/completions
EngineRequest narrow_completion_request(const Json& request);
/// POST /v1/embeddings; never streams
EngineRequest narrow_embeddings_request(const Json& request);
/// POST /v1/rerank; never streams
EngineRequest narrow_rerank_request(const Json& request);
/// POST /v1/responses, as far as it is a conversation of texts: gives a chat request.
EngineRequest narrow_responses_request(const Json& request);

/// The members alone that decide how the next token is chosen, and how many there may be.
Json narrow_generation_fields(const Json& fields);

}  // namespace liftlock
