#include "ecosystem/modelpack/modelpack.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/hub/repository.hpp"
#include "ecosystem/oci/manifest.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock::modelpack {
namespace {

constexpr const char* k_filepath = "org.cncf.model.filepath";
constexpr std::size_t k_max_name = 200;  ///< of a repository; registries take 255 with the prefix

struct Suffix {
  std::string_view text;
  std::string_view media_type;
};
constexpr std::array k_suffixes = {
    Suffix{".gguf", media::weight},      Suffix{".safetensors", media::weight},
    Suffix{".onnx", media::weight},      Suffix{".bin", media::weight},
    Suffix{".onnx_data", media::weight}, Suffix{".data", media::weight},
    Suffix{".md", media::doc},           Suffix{".png", media::doc},
    Suffix{".jpg", media::doc},          Suffix{".jpeg", media::doc},
    Suffix{".gif", media::doc},          Suffix{".webp", media::doc},
    Suffix{".py", media::code},
};

std::string format_of(const std::set<std::string>& suffixes) {
  for (const auto* format : {"gguf", "safetensors", "onnx"}) {
    if (suffixes.contains(format)) return format;
  }
  return {};
}

}  // namespace

std::string_view media_type_of(std::string_view path) {
  const auto name = to_lower(path.substr(path.rfind('/') + 1));
  for (const auto& suffix : k_suffixes) {
    if (name.ends_with(suffix.text)) return suffix.media_type;
  }
  if (name.starts_with("license") || name.starts_with("readme") || name.starts_with("copying") || name == "notice")
    return media::doc;
  return media::weight_config;
}

std::string repository_name(const Artifact& model) {
  std::string out;
  for (const char c : to_lower(model.name)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (plain) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  out.resize(std::min(out.size(), k_max_name));
  while (out.ends_with('-')) out.pop_back();  // after the cut, which may leave one
  return out.empty() ? "model" : out;
}

std::string tag_of(const Artifact& model) {
  std::string out(model.version.substr(0, 128));
  for (auto& c : out) {
    if (!oci::is_tag(std::string_view(&c, 1)) && c != '.' && c != '-') c = '-';
  }
  return oci::is_tag(out) ? out : "v" + out.substr(0, 127);
}

bool has_files_of(std::string_view manifest, const Artifact& model) {
  std::map<std::string, std::pair<Digest, std::uint64_t>, std::less<>> there, here;
  for (const auto& file : model.files) here.emplace(hub::path_in_model(file), std::pair(file.digest, file.size));
  try {
    const auto parsed = oci::parse_manifest(manifest);
    const auto* pack = std::get_if<oci::Manifest>(&parsed);
    if (pack == nullptr || pack->config.media_type != media::config) return false;
    for (const auto& layer : pack->layers) {
      // Of two layers for one path some clients take the first, and others the last.
      const auto added = there.emplace(layer.annotation(k_filepath), std::pair(layer.digest, layer.size));
      if (!added.second) return false;
    }
  } catch (const Error&) {
    return false;  // something else
  }
  return there == here;
}

oci::MadeManifest make_modelpack(const Artifact& model) {
  const auto place = hub::place_of(model);
  oci::MadeManifest out;
  std::set<std::string> suffixes;
  Json layers = Json::array();
  Json diff_ids = Json::array();
  for (const auto& file : model.files) {
    const auto path = hub::path_in_model(file);
    suffixes.insert(to_lower(path.substr(path.rfind('.') + 1)));
    layers.push_back({{"mediaType", media_type_of(path)},
                      {"digest", file.digest.text()},
                      {"size", file.size},
                      {"annotations",
                       {{k_filepath, path},
                        {"org.cncf.model.file.mediatype.untested", "true"},
                        // `oras pull` writes no file of a layer that has none.
                        {"org.opencontainers.image.title", path}}}});
    diff_ids.push_back(file.digest.text());
    out.stored.emplace(file.digest, file);
  }
  Json descriptor = {{"name", model.name}, {"version", model.version}, {"revision", place.commit}};
  if (!model.license.empty()) descriptor["licenses"] = Json::array({model.license});
  Json technical = Json::object();
  if (const auto format = format_of(suffixes); !format.empty()) technical["format"] = format;
  auto config = dump_json_line({{"descriptor", std::move(descriptor)},
                                {"config", std::move(technical)},
                                {"modelfs", {{"type", "layers"}, {"diffIds", std::move(diff_ids)}}}});
  const auto digest = sha256(config);
  out.media_type = oci::media::oci_manifest;
  out.bytes =
      dump_json_line({{"schemaVersion", 2},
                      {"mediaType", oci::media::oci_manifest},
                      {"artifactType", media::artifact},
                      {"config", {{"mediaType", media::config}, {"digest", digest.text()}, {"size", config.size()}}},
                      {"layers", std::move(layers)}});
  out.made.emplace(digest, std::move(config));
  return out;
}

}  // namespace liftlock::modelpack
