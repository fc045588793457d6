// What the makers of a model want of each conversation with it that does not say otherwise: from the layers that models
// of Ollama have, or from a Modelfile beside a GGUF. docs/formats/ollama.md, "In our own engines".
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace liftlock::ollama {

struct Defaults {
  std::string system;                                         ///< prompt
  std::vector<std::pair<std::string, std::string>> messages;  ///< role, content: what each conversation begins with
  Json params = Json::object();                               ///< by Ollama's names: {"temperature": 0.6}
  bool empty() const { return system.empty() && messages.empty() && params.empty(); }
};

/// The text of one of a model's files, by its path in the model; may throw.
using ReadText = std::function<std::string(std::string_view path)>;

/// A part that is not what it should be counts as absent. Throws only what `read` throws.
/// @param paths of the model's files, relative to its folder
Defaults defaults_of(std::span<const std::string> paths, const ReadText& read);
/// May this file of a model hold defaults? Others are never read.
bool holds_defaults(std::string_view path);
inline constexpr std::uint64_t k_max_defaults = 1u << 20;

/// For people: "system prompt, 2 parameters, 1 message"; empty: none.
std::string words_of(const Defaults& defaults);

}  // namespace liftlock::ollama
