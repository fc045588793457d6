// What a model's makers want of each conversation with it, put into a request that does not say otherwise, whichever
// API it came by: as Ollama's server does it (server/routes.go, ChatHandler), but for the client's system message,
// which stays first, for many chat templates take it there only.
#pragma once

#include <map>
#include <string>

#include "ecosystem/ollama/defaults.hpp"
#include "gateway/openai_request.hpp"

namespace liftlock {

/// Of what generates text: the system prompt unless the conversation begins with one, the messages before the client's
/// own, and the parameters that the request does not name. A parameter that no client could ask for is left out. A
/// prompt without a conversation gets the parameters alone.
void apply_defaults(const ollama::Defaults& defaults, EngineRequest& request);

/// Those of a model's parameters that apply_defaults() gives to no request, each with why, for people:
/// {"num_ctx": "[models] context of config.toml says it"}.
std::map<std::string, std::string> left_out(const Json& params);

}  // namespace liftlock
