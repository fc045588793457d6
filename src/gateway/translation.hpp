// What a client asks of a model, in the form of whichever API, as the engine gets it; and how the answer is said.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "gateway/conversation.hpp"
#include "gateway/dialect.hpp"
#include "gateway/endpoints.hpp"
#include "gateway/openai_request.hpp"
#include "net/http.hpp"

namespace liftlock {

struct Translation {
  EngineRequest engine;
  std::unique_ptr<Dialect> dialect;  ///< never nullptr
  /// How long the model stays loaded afterwards, as Ollama's clients say it; negative: for ever. Zero: unload it now.
  std::optional<std::chrono::seconds> keep_alive;
  std::optional<OllamaAnswer> only_load;  ///< nothing is asked: the model is loaded, or unloaded, and that is answered
  std::optional<Listening> listening;     ///< its recording is still nullptr
  std::string_view recording;             ///< its bytes, within the request's body
};

/// @param document the body, but for a recording's form
/// @param id of the record: answers are named by it
/// @throws Error{bad_request} naming the field, Error{offline} for tools of the internet
Translation translate(const Endpoint& endpoint, const HttpRequest& request, const Json& document,
                      const std::string& id);

}  // namespace liftlock
