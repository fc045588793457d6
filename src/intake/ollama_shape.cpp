// The folder in which Ollama keeps models: manifests/HOST/NAMESPACE/NAME/TAG and blobs/sha256-HEX.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/ollama/manifest.hpp"
#include "ecosystem/ollama/name.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_manifests = "manifests/";
struct OllamaFile {
  std::string at;    ///< path in the tree
  std::string name;  ///< in the model
};

struct OllamaModel {
  ollama::Name name;
  Digest manifest;  ///< of the bytes that were read; `ollama list` shows its first 12 digits
  std::vector<OllamaFile> files;
};

/// The files of the model, as a stack with `source = "ollama:…"` would carry them.
OllamaModel read_model(const Tree& tree, const std::string& path, const ollama::Name& name) {
  const auto where = "the manifest of " + printable(name.text());
  const auto bytes = tree.read(path, ollama::k_max_manifest_bytes);
  const auto manifest = with_context("in " + printable(path), [&] { return ollama::parse_manifest(bytes); });
  OllamaModel out{name, sha256(bytes), {{path, std::string(ollama::k_manifest_file)}}};
  std::set<Digest> taken;
  const auto add = [&](std::string file, const ollama::Layer& layer) {
    if (!taken.insert(layer.digest).second) return;  // one blob for two layers: the manifest says what it is for
    const auto blob = "blobs/sha256-" + layer.digest.hex();
    if (!tree.has(blob)) {
      fail(ErrorCode::model_incomplete, "{} names {}, which is not in blobs/", where, layer.digest.text());
    }
    if (tree.size(blob) != layer.size) {
      fail(ErrorCode::size_mismatch, "{}: {} has {} bytes", where, layer.digest.text(), tree.size(blob));
    }
    out.files.push_back({blob, std::move(file)});
  };
  add(std::string(ollama::k_config_file), manifest.config);
  const auto names = ollama::file_names(manifest);
  for (std::size_t i = 0; i < names.size(); ++i) add(names[i], manifest.layers[i]);
  const bool has_model = std::any_of(manifest.layers.begin(), manifest.layers.end(),
                                     [](const auto& layer) { return layer.media_type == ollama::media::model; });
  if (!has_model) fail(ErrorCode::model_unsupported, "{} has no model", where);
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
    const auto name = ollama::name_of_path(path.substr(k_manifests.size()));
    // A signature that somebody put beside a manifest reads as a tag: such are named, not taken for models.
    if (!name || path.ends_with(".sig") || path.ends_with(".asc")) {
      found.notes.push_back(fmt::format("{} is left out: it is no manifest of a model", printable(path)));
      continue;
    }
    models.push_back(read_model(*tree, path, *name));
    found.preview["models"].push_back(name->text());
  }
  if (models.empty()) return std::nullopt;
  found.words = "an Ollama store of " + counted(models.size(), "model");
  std::set<std::string> wanted;
  for (const auto& model : models) {
    for (const auto& file : model.files) {
      if (!wanted.insert(file.at).second) continue;
      // Ollama itself believes the names of blobs when it loads; here each is hashed.
      if (file.at.starts_with("blobs/")) {
        found.files.push_back({tree, file.at, Digest::parse_sha256_hex(file.at.substr(file.at.rfind('-') + 1)),
                               "the name of the blob in the Ollama store"});
      } else {
        found.files.push_back({tree, file.at, model.manifest, "what was read of it"});
      }
    }
  }
  found.make = [tree, models](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& model : models) {
      const auto& name = model.name;
      ModelParts parts{.name = name.space == ollama::k_default_namespace ? name.model : name.space + "_" + name.model,
                       .version = model.manifest.hex().substr(0, 12),
                       .license = {},
                       .facts = {{"source", "ollama"}, {"ollama", name.text()}},
                       .files = {}};
      for (const auto& file : model.files) {
        parts.files.push_back({file.name,
                               staged.digest(*tree, file.at),
                               tree->name() + "/" + file.at,
                               {{"stated", {{"by", "the manifest of " + name.text()}}}}});
      }
      out.push_back(make_model(parts, staged));
    }
    return out;
  };
  return found;
}

}  // namespace liftlock
