// Manifests of Ollama models (ollama manifest/manifest.go): Docker image manifests v2 schema 2 with media types of
// their own. Format: docs/formats/ollama.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock::ollama {

namespace media {
inline constexpr std::string_view manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view config = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view model = "application/vnd.ollama.image.model";
inline constexpr std::string_view projector = "application/vnd.ollama.image.projector";
inline constexpr std::string_view adapter = "application/vnd.ollama.image.adapter";
inline constexpr std::string_view chat_template = "application/vnd.ollama.image.template";
inline constexpr std::string_view system = "application/vnd.ollama.image.system";
inline constexpr std::string_view params = "application/vnd.ollama.image.params";
inline constexpr std::string_view messages = "application/vnd.ollama.image.messages";
inline constexpr std::string_view license = "application/vnd.ollama.image.license";
}  // namespace media

inline constexpr std::uint64_t k_max_manifest_bytes = 4u << 20;

struct Layer {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;
  bool operator==(const Layer&) const = default;
};

struct Manifest {
  Layer config;
  std::vector<Layer> layers;
  bool operator==(const Manifest&) const = default;
};

/// @throws Error{json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
Manifest parse_manifest(std::string_view bytes);
/// One line; equal manifests give equal bytes.
std::string manifest_text(const Manifest& manifest);

/// How the files of a model that came from Ollama are called where they cross, below the model's folder: "model.gguf",
/// "mmproj.gguf", "ollama/template" …; the second of a kind is "model-2.gguf". @throws Error{model_unsupported} for a
/// layer of a kind that is not known here
std::vector<std::string> file_names(const Manifest& manifest);
inline constexpr std::string_view k_manifest_file = "ollama/manifest";
inline constexpr std::string_view k_config_file = "ollama/config";
/// The media type of a file with such a name; empty for other names.
std::string_view media_type_of_file(std::string_view path);

}  // namespace liftlock::ollama
