#include "ecosystem/ollama/manifest.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock::ollama {
namespace {

constexpr std::string_view k_where = "the manifest of an Ollama model";
constexpr std::size_t k_max_layers = 1024;
constexpr std::uint64_t k_max_size = std::uint64_t{1} << 62;

struct Kind {
  std::string_view media_type;
  std::string_view stem;
  std::string_view suffix;
};
constexpr std::array k_kinds = {
    Kind{media::model, "model", ".gguf"},         Kind{media::projector, "mmproj", ".gguf"},
    Kind{media::adapter, "model.lora", ".gguf"},  Kind{media::chat_template, "ollama/template", ""},
    Kind{media::system, "ollama/system", ""},     Kind{media::params, "ollama/params", ""},
    Kind{media::messages, "ollama/messages", ""}, Kind{media::license, "ollama/license", ""},
};

Layer layer_of(const Json& json) {
  Layer out{string_member(json, "mediaType", k_where), Digest::parse(string_member(json, "digest", k_where)),
            uint_member(json, "size", k_where)};
  if (out.media_type.empty() || out.media_type.size() > 255 || out.size > k_max_size)
    fail(ErrorCode::schema_violation, "{}: a layer has no type or an impossible size", k_where);
  return out;
}

Json json_of(const Layer& layer) {
  return {{"mediaType", layer.media_type}, {"digest", layer.digest.text()}, {"size", layer.size}};
}

}  // namespace

Manifest parse_manifest(std::string_view bytes) {
  const auto json = parse_json(bytes, {.max_bytes = k_max_manifest_bytes, .max_depth = 16});
  if (uint_member(json, "schemaVersion", k_where) != 2)
    fail(ErrorCode::schema_violation, "{}: schemaVersion 2 is expected", k_where);
  const auto type = string_member_or(json, "mediaType", media::manifest, k_where);
  if (type != media::manifest) fail(ErrorCode::schema_violation, "{}: it is a '{}'", k_where, printable(type));
  Manifest out{layer_of(object_member(json, "config", k_where)), {}};
  const auto& layers = array_member(json, "layers", k_where);
  if (layers.empty() || layers.size() > k_max_layers)
    fail(ErrorCode::schema_violation, "{}: it has {} layers; 1 to {} are allowed", k_where, layers.size(),
         k_max_layers);
  for (const auto& layer : layers) out.layers.push_back(layer_of(layer));
  return out;
}

std::string manifest_text(const Manifest& manifest) {
  Json layers = Json::array();
  for (const auto& layer : manifest.layers) layers.push_back(json_of(layer));
  return dump_json_line({{"schemaVersion", 2},
                         {"mediaType", media::manifest},
                         {"config", json_of(manifest.config)},
                         {"layers", std::move(layers)}});
}

std::vector<std::string> file_names(const Manifest& manifest) {
  std::map<std::string_view, int> seen;
  std::vector<std::string> out;
  for (const auto& layer : manifest.layers) {
    const auto kind = std::find_if(k_kinds.begin(), k_kinds.end(),
                                   [&](const auto& each) { return each.media_type == layer.media_type; });
    if (kind == k_kinds.end()) {
      throw Error(
          ErrorCode::model_unsupported,
          fmt::format("the model has a layer of the type '{}', which is not known here", printable(layer.media_type)),
          "models whose weights are GGUF files can be carried; those in Ollama's own tensor layers cannot");
    }
    const auto count = ++seen[kind->media_type];
    out.push_back(count == 1 ? fmt::format("{}{}", kind->stem, kind->suffix)
                             : fmt::format("{}-{}{}", kind->stem, count, kind->suffix));
  }
  return out;
}

std::string_view media_type_of_file(std::string_view path) {
  for (const auto& kind : k_kinds) {
    if (!path.starts_with(kind.stem) || !path.ends_with(kind.suffix)) continue;
    auto number = path.substr(kind.stem.size());
    if (number.size() < kind.suffix.size()) continue;
    number.remove_suffix(kind.suffix.size());
    if (number.empty() || (number.starts_with('-') && parse_uint(number.substr(1)))) return kind.media_type;
  }
  return {};
}

}  // namespace liftlock::ollama
