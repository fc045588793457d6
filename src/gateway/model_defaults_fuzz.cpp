// What a model brings for conversations: "ollama/params", "ollama/messages" and "ollama/system", or a Modelfile, each
// ended by a zero byte. Nothing but Error may come out; the client's own message stays the last, and what the engine
// gets beside it is what a client could have asked for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "gateway/model_defaults.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  auto parts = split(as_text(std::span(data, size)), '\0');
  parts.resize(4);
  const std::vector<std::string> paths = {"ollama/params", "ollama/messages", "ollama/system", "Modelfile",
                                          "tiny.gguf"};
  const auto defaults = ollama::defaults_of(paths, [&](std::string_view path) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (paths[i] == path) return std::string(parts[i]);
    }
    return std::string();
  });
  (void)ollama::words_of(defaults);
  (void)left_out(defaults.params);
  const Json question = {{"role", "user"}, {"content", "why?"}};
  const Json asked = {{"model", "demo"}, {"messages", Json::array({question})}};
  auto request = narrow_chat_request(asked);
  apply_defaults(defaults, request);
  const auto& messages = request.body.at("messages");
  if (messages.empty() || messages.back() != question) std::abort();
  auto again = request.body;
  again["messages"] = asked["messages"];
  try {
    (void)narrow_chat_request(again);
  } catch (const Error&) {
    std::abort();
  }
  return 0;
}
