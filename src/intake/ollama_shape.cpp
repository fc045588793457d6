// The folder in which Ollama keeps models: manifests/HOST/NAMESPACE/NAME/TAG and blobs/sha256-HEX.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_manifests = "manifests/";
constexpr std::uint64_t k_max_manifest = 1u << 20;
constexpr std::string_view k_media = "application/vnd.ollama.image.";

struct OllamaFile {
  std::string blob;  ///< path in the tree
  std::string name;  ///< in the model
};

struct OllamaModel {
  std::string reference;  ///< "HOST/library/llama3.1:8b"
  std::string name;
  std::string tag;
  std::vector<OllamaFile> files;
};

/// What a layer is called as a file; empty for what is not taken in.
std::string file_name_of(std::string_view media_type, std::size_t& adapters) {
  if (!media_type.starts_with(k_media)) return {};
  const auto what = media_type.substr(k_media.size());
  if (what == "model") return "model.gguf";
  if (what == "projector") return "mmproj.gguf";
  if (what == "adapter") return fmt::format("adapter-{}.gguf", ++adapters);
  if (what == "template") return "template.txt";
  if (what == "system") return "system.txt";
  if (what == "license") return "LICENSE.txt";
  if (what == "params") return "params.json";
  return {};
}

OllamaModel read_manifest(const Tree& tree, const std::string& path) {
  const auto parts = split(path, '/');  // manifests HOST NAMESPACE… NAME TAG
  OllamaModel out;
  out.tag = std::string(parts.back());
  const auto short_name = std::string(parts[parts.size() - 2]);
  const auto space = std::string(parts[parts.size() - 3]);
  out.name = space == "library" ? short_name : space + "_" + short_name;
  out.reference = path.substr(k_manifests.size(), path.rfind('/') - k_manifests.size()) + ":" + out.tag;
  const auto where = "the manifest of " + printable(out.reference);
  const auto json = with_context("in " + printable(path),
                                 [&] { return parse_json(tree.read(path, k_max_manifest), {.max_depth = 16}); });
  std::size_t adapters = 0, licences = 0;
  for (const auto& layer : array_member(json, "layers", where)) {
    auto name = file_name_of(string_member(layer, "mediaType", where), adapters);
    if (name.empty()) continue;
    if (name == "LICENSE.txt" && licences++ > 0) name = fmt::format("LICENSE-{}.txt", licences);
    const auto digest = Digest::parse(string_member(layer, "digest", where));
    const auto blob = "blobs/sha256-" + digest.hex();
    if (!tree.has(blob)) fail(ErrorCode::model_incomplete, "{} names {}, which is not in blobs/", where, digest.text());
    if (tree.size(blob) != uint_member(layer, "size", where))
      fail(ErrorCode::size_mismatch, "{}: {} has {} bytes", where, digest.text(), tree.size(blob));
    const bool twice = std::any_of(out.files.begin(), out.files.end(), [&](const auto& f) { return f.name == name; });
    if (twice) fail(ErrorCode::model_malformed, "{} has two layers that are {}", where, name);
    out.files.push_back({blob, std::move(name)});
  }
  const bool has_model =
      std::any_of(out.files.begin(), out.files.end(), [](const auto& f) { return f.name == "model.gguf"; });
  if (!has_model) fail(ErrorCode::model_unsupported, "{} has no model that is one GGUF", where);
  return out;
}

/// The tree whose top holds manifests/ and blobs/: a copy of the folder may lie in models/, or in models/models/.
std::shared_ptr<const Tree> store_of(const std::shared_ptr<const Tree>& tree) {
  auto at = tree;
  for (int depth = 0; depth < 3; ++depth) {
    const auto& paths = at->paths();
    const auto begins = [&](std::string_view prefix) {
      return std::any_of(paths.begin(), paths.end(), [&](const auto& path) { return path.starts_with(prefix); });
    };
    if (begins(k_manifests) && begins("blobs/sha256-")) return at;
    if (!begins("models/")) return nullptr;
    at = at->below("models");
  }
  return nullptr;
}

}  // namespace

std::optional<Found> recognise_ollama(const std::shared_ptr<const Tree>& whole, const ImportCells&) {
  const auto tree = store_of(whole);
  if (!tree) return std::nullopt;
  std::vector<OllamaModel> models;
  Found found{.shape = "ollama", .words = {}, .preview = {{"models", Json::array()}}};
  for (const auto& path : tree->paths()) {
    if (!path.starts_with(k_manifests)) continue;
    if (std::count(path.begin(), path.end(), '/') < 4) {
      found.notes.push_back(fmt::format("{} is left out: it is no manifest of a model", printable(path)));
      continue;
    }
    // A signature that somebody put beside a manifest reads as a tag: such are named, not taken for models.
    if (path.ends_with(".sig") || path.ends_with(".asc")) {
      found.notes.push_back(fmt::format("{} is left out: a signature among the manifests", printable(path)));
      continue;
    }
    models.push_back(read_manifest(*tree, path));
    found.preview["models"].push_back(models.back().reference);
  }
  if (models.empty()) return std::nullopt;
  found.words = "an Ollama store of " + counted(models.size(), "model");
  std::map<std::string, bool> wanted;
  for (const auto& model : models) {
    for (const auto& file : model.files) {
      if (!wanted.emplace(file.blob, true).second) continue;
      // Ollama itself believes these names when it loads; here each is hashed.
      found.files.push_back({tree, file.blob, Digest::parse_sha256_hex(file.blob.substr(file.blob.rfind('-') + 1)),
                             "the name of the blob in the Ollama store"});
    }
  }
  found.make = [tree, models](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& model : models) {
      ModelParts parts{.name = model.name,
                       .version = model.tag,
                       .license = {},
                       .facts = {{"source", "ollama"}, {"reference", model.reference}},
                       .files = {}};
      for (const auto& file : model.files) {
        parts.files.push_back({file.name,
                               staged.digest(*tree, file.blob),
                               tree->name() + "/" + file.blob,
                               {{"stated", {{"by", "the manifest of " + model.reference}}}}});
      }
      out.push_back(make_model(parts, staged));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
