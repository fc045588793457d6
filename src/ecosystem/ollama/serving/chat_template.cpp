#include "ecosystem/ollama/serving/chat_template.hpp"

#include <array>

namespace liftlock::ollama {
namespace {

struct Family {
  std::string_view mark;
  std::string_view name;
  std::string_view text;
  std::array<std::string_view, 2> stop;
};

// The first mark that is found decides.
constexpr std::array k_families = {
    Family{"<|im_start|>",
           "chatml",
           "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}"
           "{{ if .Prompt }}<|im_start|>user\n{{ .Prompt }}<|im_end|>\n{{ end }}"
           "<|im_start|>assistant\n{{ .Response }}<|im_end|>\n",
           {"<|im_start|>", "<|im_end|>"}},
    Family{"<|start_header_id|>",
           "llama-3",
           "{{ if .System }}<|start_header_id|>system<|end_header_id|>\n\n{{ .System }}<|eot_id|>{{ end }}"
           "{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>\n\n{{ .Prompt }}<|eot_id|>{{ end }}"
           "<|start_header_id|>assistant<|end_header_id|>\n\n{{ .Response }}<|eot_id|>",
           {"<|start_header_id|>", "<|eot_id|>"}},
    Family{"<start_of_turn>",
           "gemma",
           "<start_of_turn>user\n{{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }}<end_of_turn>\n"
           "<start_of_turn>model\n{{ .Response }}<end_of_turn>\n",
           {"<start_of_turn>", "<end_of_turn>"}},
    Family{"[INST]",
           "mistral",
           "[INST] {{ if .System }}{{ .System }}\n\n{{ end }}{{ .Prompt }} [/INST] {{ .Response }}</s>",
           {"[INST]", "[/INST]"}},
};

}  // namespace

std::optional<KnownTemplate> known_template(std::string_view chat_template) {
  for (const auto& family : k_families) {
    if (chat_template.find(family.mark) == std::string_view::npos) continue;
    return KnownTemplate{family.name, family.text, {family.stop.begin(), family.stop.end()}};
  }
  return std::nullopt;
}

}  // namespace liftlock::ollama
