// Modelfiles: what `ollama create` is told about a model that lies in files. Read as Ollama's own parser/parser.go
// (0.33) does; format and what is made of it: docs/formats/ollama.md.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"

namespace liftlock::ollama {

inline constexpr std::uint64_t k_max_modelfile = 1u << 20;

/// "Modelfile", in any case: a path in a model's folder, at its top.
bool is_modelfile(std::string_view path);

struct Modelfile {
  std::vector<std::string> from;      ///< as written: "./tiny.gguf", "llama3"
  std::vector<std::string> adapters;  ///< as written
  std::optional<std::string> chat_template;
  std::optional<std::string> system;
  std::vector<std::string> licenses;
  Json params = Json::object();  ///< as in a layer of Ollama: numbers, and "stop" as a list of texts
  std::vector<std::pair<std::string, std::string>> messages;  ///< role, content
  std::string renderer, parser, needs_version;                ///< RENDERER, PARSER, REQUIRES; empty: none
  std::vector<std::string> left_out;                          ///< for people: "line 3: DRAFT is not known here"
};

/// @throws Error{model_malformed} naming the line, Error{limit_exceeded}
Modelfile parse_modelfile(std::string_view text);

/// What of a Modelfile holds for the files beside it.
struct ModelfileUse {
  using Paths = std::set<std::string, std::less<>>;
  bool applies = false;            ///< FROM names a GGUF among them; else nothing of it is used
  Paths weights;                   ///< that FROM names; empty where it chooses nothing: any will do
  Paths adapters;                  ///< that ADAPTER names
  std::vector<std::string> notes;  ///< for people: what is not used, and why
};
/// Is it one that Ollama loads beside a model's weights, by its name?
bool is_projector_name(std::string_view path);
/// @param paths of the model's files, relative to its folder
ModelfileUse use_of(const Modelfile& modelfile, std::span<const std::string> paths);
/// For people: "its template, 2 parameters"; empty when it says nothing but FROM.
std::string words_of(const Modelfile& modelfile);

/// Of a Modelfile beside these files: what it brings, and what of it is not used. Never throws an Error.
struct ModelfileReport {
  std::string brings;              ///< words_of(), where it applies
  std::vector<std::string> notes;  ///< begin with "Modelfile"
};
ModelfileReport report_on_modelfile(std::string_view text, std::span<const std::string> paths);

}  // namespace liftlock::ollama
