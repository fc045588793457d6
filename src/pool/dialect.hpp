// Requests of the gateway, and answers to them, in the words of a pool's endpoints.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "pool/pools.hpp"

namespace liftlock::pool {

struct Call {
  std::string path;
  Json body;
};

/// @param path of OpenAI's API, as an engine of this machine would get it
/// @throws Error{bad_request} for what endpoints of this kind do not do
Call call_of(const Model& model, std::string_view path, Json body);

/// The answer, or a chunk of one, as an engine of this machine would give it. @throws Error{engine_failed} when it is
/// none
Json answer_of(const Model& model, const Call& call, Json answer);

/// The models that GET /v1/models of an endpoint lists. @throws Error{engine_failed} when it is no list
std::vector<std::string> listed_models(std::string_view body);

}  // namespace liftlock::pool
