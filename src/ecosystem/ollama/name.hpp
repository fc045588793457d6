// Names of models as Ollama has them (ollama types/model/name.go): [HOST/][NAMESPACE/]MODEL[:TAG]. They are the paths
// of manifests in its store: docs/formats/ollama.md.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace liftlock::ollama {

/// What Ollama puts before names that hold no host, no namespace, no tag: parts of paths in its store.
inline constexpr std::string_view k_default_host = "registry.ollama.ai";
inline constexpr std::string_view k_default_namespace = "library";
inline constexpr std::string_view k_default_tag = "latest";

struct Name {
  std::string host{k_default_host};
  std::string space{k_default_namespace};
  std::string model;
  std::string tag{k_default_tag};

  /// As `ollama list` shows it: "llama3.2:1b", "team/x:latest", "mirror:8480/ollama/x:latest".
  std::string text() const;
  /// Below manifests/: "HOST/NAMESPACE/MODEL/TAG".
  std::string path() const;
  auto operator<=>(const Name&) const = default;
};

/// @throws Error{schema_violation}
Name parse_name(std::string_view text);
/// The name of a manifest by its path below manifests/; nullopt for a path that is none.
std::optional<Name> name_of_path(std::string_view path);

/// Makes a text usable as a model's name or tag: other bytes than letters, digits, '_', '-' and '.' become '-'.
std::string fit_part(std::string_view text);

}  // namespace liftlock::ollama
