// Templates for versions of Ollama that do not read the chat template of a GGUF: docs/formats/ollama.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock::ollama {

struct KnownTemplate {
  std::string_view family;             ///< "chatml"
  std::string_view text;               ///< a Go template with .System, .Prompt and .Response
  std::vector<std::string_view> stop;  ///< where the model's turn ends
};

/// By the marks that a chat template (Jinja) writes between turns; nullopt for a format that is not known here, which
/// then gets no template: a wrong one is worse than none.
std::optional<KnownTemplate> known_template(std::string_view chat_template);

}  // namespace liftlock::ollama
