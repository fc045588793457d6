// ModelKits of KitOps and ModelPacks of the CNCF: OCI artifacts whose layers are models, data sets, code and documents,
// as tars or, in a ModelPack, each file as it is (github.com/kitops-ml/kitops, pkg/artifact/spec.md and kitfile.go;
// github.com/modelpack/model-spec, docs/spec.md). In an OCI layout: kit's own storage folder, or what
// `skopeo copy docker://… oci:FOLDER` makes of one in a registry.
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/loose_json.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/model/dataset.hpp"
#include "ecosystem/oci/layout_reader.hpp"
#include "intake/image_layout.hpp"
#include "intake/listing.hpp"
#include "intake/model_artifact.hpp"
#include "intake/shape.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_kit_types = "application/vnd.kitops.modelkit.";
constexpr std::string_view k_pack_types = "application/vnd.cncf.model.";
constexpr std::string_view k_kit_config = "application/vnd.kitops.modelkit.config.v1+json";
constexpr std::string_view k_pack_config = "application/vnd.cncf.model.config.v1+json";
constexpr std::string_view k_file_path = "org.cncf.model.filepath";
constexpr std::size_t k_max_kits = 200;
constexpr std::size_t k_max_references = 100;  // of one kit; more tags than these say nothing more

std::string text_of(const Json& object, const char* key) {
  return printable(text_in(object, key));
}

/// The member, or an empty object.
const Json& part_of(const Json& object, const char* key) {
  static const Json k_none = Json::object();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : k_none;
}

/// A document of the layout, which is what its name says.
std::string read_blob(const Tree& tree, const Digest& digest, std::uint64_t max_bytes) {
  const auto path = blob_path(digest);
  if (!tree.has(path)) fail(ErrorCode::missing_file, "{} is not in the layout", digest.text());
  auto text = tree.read(path, max_bytes);
  require_stated(text, digest, path);
  return text;
}

enum class LayerKind : std::uint8_t { model, dataset, docs, code, unknown };

/// A file that a layer gives.
struct LayerFile {
  std::string path;  ///< in Layer::tree
  std::string name;  ///< in the model
};

struct Layer {
  LayerKind kind;
  Digest digest;
  std::shared_ptr<const Tree> tree;  ///< of a tar what it holds, of a raw layer the layout
  std::vector<LayerFile> files;
  bool raw = false;   ///< the blob is the one file
  std::string title;  ///< of data sets: what the Kitfile calls them
};

LayerKind kind_of(std::string_view base) {
  if (base == "model" || base == "modelpart" || base == "weight" || base == "weight.config") return LayerKind::model;
  if (base == "dataset") return LayerKind::dataset;
  if (base == "docs" || base == "doc") return LayerKind::docs;
  return base == "code" ? LayerKind::code : LayerKind::unknown;
}

struct LayerType {
  LayerKind kind = LayerKind::unknown;
  bool raw = false;
};

/// Of "application/vnd.kitops.modelkit.modelpart.v1.tar+gzip". @throws Error{import_unknown} for forms that are not
/// known, and for raw layers that do not say what their file is called
LayerType type_of(const oci::Descriptor& layer) {
  std::string_view rest = layer.media_type;
  const auto prefix = rest.starts_with(k_kit_types) ? k_kit_types : k_pack_types;
  if (!rest.starts_with(prefix)) return {};
  rest.remove_prefix(prefix.size());
  const auto version = rest.find(".v1.");
  const auto form = version == std::string_view::npos ? std::string_view() : rest.substr(version + 4);
  const LayerType out{kind_of(rest.substr(0, version)), form == "raw"};
  const bool named = !layer.annotation(std::string(k_file_path)).empty();
  if (form == "tar" || form == "tar+gzip" || form == "tar+zstd" || (out.raw && named)) return out;
  throw Error(ErrorCode::import_unknown,
              fmt::format("a layer of the model has the type {}{}", printable(rest.substr(0, 200)),
                          out.raw ? fmt::format(", and no annotation {}", k_file_path) : ""),
              "pack it with layers in tar, as kit does without --layer-format");
}

struct Kit {
  Digest manifest;
  std::string_view form;                ///< "ModelKit", "ModelPack"
  std::vector<std::string> references;  ///< as index.json calls it, each once, sorted; may be empty
  std::string name, version, license;
  std::string config_text, manifest_text;
  std::vector<Layer> layers;
  std::vector<std::string> notes;
};

/// The folder that all of them lie in, with a '/' at its end; empty when there is none.
std::string common_folder(const std::vector<std::string>& paths) {
  std::string out = paths.empty() ? "" : paths[0].substr(0, paths[0].rfind('/') + 1);
  for (const auto& path : paths) {
    while (!path.starts_with(out)) {
      const auto slash = out.size() < 2 ? std::string::npos : out.rfind('/', out.size() - 2);
      out = slash == std::string::npos ? "" : out.substr(0, slash + 1);
    }
  }
  return out;
}

/// Name, version and licence: of a ModelPack as its config describes it, of a ModelKit as the Kitfile does.
void describe(Kit& kit, const Json& config, const Tree& tree) {
  const auto& model = part_of(config, kit.form == "ModelPack" ? "descriptor" : "model");
  const auto& package = kit.form == "ModelPack" ? model : part_of(config, "package");
  for (auto name : {text_of(model, "name"), text_of(package, "name"), plain_title(tree)}) {
    if (kit.name.empty()) kit.name = std::move(name);
  }
  kit.version = text_of(package, "version");
  kit.license = text_of(model, "license").empty() ? text_of(package, "license") : text_of(model, "license");
  const auto& licenses = part_of(model, "licenses");
  if (!licenses.is_array()) return;
  for (const auto& license : licenses) {
    if (license.is_string())
      kit.license += (kit.license.empty() ? "" : " AND ") + printable(license.get<std::string>());
  }
}

Layer read_layer(const std::shared_ptr<const Tree>& layout, const oci::Descriptor& layer, const LayerType& type,
                 const ImportCells& cells) {
  const auto path = blob_path(layer.digest);
  if (!layout->has(path)) fail(ErrorCode::missing_file, "{} is not in the layout", layer.digest.text());
  Layer out{.kind = type.kind, .digest = layer.digest, .tree = layout, .files = {}, .raw = type.raw, .title = {}};
  if (type.raw) {
    out.files.push_back({path, layer.annotation(std::string(k_file_path))});
    return out;
  }
  out.tree = open_archive({layout, path, layer.digest, "the name of the blob"}, cells);
  if (!out.tree) fail(ErrorCode::image_malformed, "the layer {} is no tar", layer.digest.text());
  for (const auto& member : out.tree->paths()) out.files.push_back({member, member});
  return out;
}

Kit read_kit(const std::shared_ptr<const Tree>& tree, const Digest& digest, const oci::Manifest& manifest,
             std::string manifest_text, const ImportCells& cells) {
  Kit out{.manifest = digest, .form = manifest.config.media_type == k_pack_config ? "ModelPack" : "ModelKit"};
  out.manifest_text = std::move(manifest_text);
  out.config_text = read_blob(*tree, manifest.config.digest, oci::k_max_config_bytes);
  const auto config = parse_json(out.config_text);
  describe(out, config, *tree);
  const auto& datasets = part_of(config, "datasets");
  std::size_t dataset = 0, code = 0;
  for (const auto& descriptor : manifest.layers) {
    const auto type = type_of(descriptor);
    if (type.kind == LayerKind::code) {
      ++code;
      continue;
    }
    if (type.kind == LayerKind::unknown) {
      out.notes.push_back(fmt::format("a layer of the type {} is left out", printable(descriptor.media_type)));
      continue;
    }
    auto layer = read_layer(tree, descriptor, type, cells);
    if (layer.kind == LayerKind::dataset) {
      if (datasets.is_array() && dataset < datasets.size()) layer.title = text_of(datasets[dataset], "name");
      ++dataset;
      if (layer.title.empty()) layer.title = fmt::format("{}-data-{}", out.name, dataset);
    }
    out.layers.push_back(std::move(layer));
  }
  if (code > 0)
    out.notes.push_back(
        fmt::format("{}: {} left out", out.name, counted(code, "layer of code is", "layers of code are")));
  const bool has_model = std::any_of(out.layers.begin(), out.layers.end(),
                                     [](const auto& layer) { return layer.kind == LayerKind::model; });
  if (const auto parent = text_of(part_of(config, "model"), "path"); !has_model && !parent.empty()) {
    out.notes.push_back(fmt::format("{}: its model is in another ModelKit, {}", out.name, parent));
  }
  return out;
}

/// A file of a layer, and where it stands in the artifact.
struct Member {
  const Layer* layer;
  std::string path;  ///< in the layer
  std::string place;
};

/// Of the model: weights and parts without the folder that they share, documents where that leaves room for them.
std::vector<Member> members_of(const Kit& kit, const std::vector<const Layer*>& layers,
                               std::string (*why_unsafe)(std::string_view), std::vector<std::string>& notes) {
  std::vector<std::string> paths;
  for (const auto* layer : layers) {
    if (layer->kind == LayerKind::docs) continue;
    for (const auto& file : layer->files) paths.push_back(file.name);
  }
  // The paths of a ModelPack's files are those that the model has.
  const auto folder = kit.form == "ModelPack" ? std::string() : common_folder(paths);
  std::vector<Member> out;
  std::set<std::string> taken;
  for (const bool docs : {false, true}) {
    for (const auto* layer : layers) {
      if ((layer->kind == LayerKind::docs) != docs) continue;
      for (const auto& [path, name] : layer->files) {
        const auto place = name.starts_with(folder) ? name.substr(folder.size()) : name;
        if (const auto why = why_unsafe(name); !why.empty()) {
          notes.push_back(fmt::format("{} is left out: {}", printable(name), why));
        } else if (taken.insert(to_lower(place)).second) {
          out.push_back({layer, path, place});
        } else if (docs) {
          notes.push_back(fmt::format("{} is left out: the model has a file of that name", printable(name)));
        } else {
          fail(ErrorCode::path_collision, "two layers of {} hold '{}'", printable(kit.name), printable(name));
        }
      }
    }
  }
  return out;
}

/// One artifact in the making.
struct Part {
  const Kit* kit;
  std::string kind, name;
  std::vector<Member> members;
};

std::vector<Part> parts_of(const Kit& kit, std::vector<std::string>& notes) {
  std::vector<Part> out;
  std::vector<const Layer*> of_model;
  bool has_model = false;
  for (const auto& layer : kit.layers) {
    if (layer.kind == LayerKind::dataset) {
      auto members = members_of(kit, {&layer}, why_unsafe_dataset_name, notes);
      if (!members.empty()) out.push_back({&kit, "dataset", layer.title, std::move(members)});
      continue;
    }
    of_model.push_back(&layer);
    has_model = has_model || layer.kind == LayerKind::model;
  }
  if (!has_model) return out;
  auto members = members_of(kit, of_model, why_unsafe_model_file, notes);
  if (!members.empty()) out.push_back({&kit, "model", kit.name, std::move(members)});
  return out;
}

Artifact make_part(const Part& part, StagedFiles& staged) {
  ModelParts parts{.name = part.name,
                   .version = part.kit->version,
                   .license = part.kind == "model" ? part.kit->license : "",
                   .facts = {{"source", to_lower(part.kit->form)}, {"manifest", part.kit->manifest.text()}},
                   .files = {},
                   .kind = part.kind};
  const auto& references = part.kit->references;
  if (!references.empty()) parts.facts["reference"] = references.front();
  if (references.size() > 1) parts.facts["references"] = references;
  for (const auto& member : part.members) {
    const auto layer = member.layer->digest.text(), manifest = part.kit->manifest.text();
    parts.files.push_back({.path = member.place,
                           .digest = staged.digest(*member.layer->tree, member.path),
                           .origin = member.layer->raw ? layer : fmt::format("{}/{}", layer, member.path),
                           .evidence = {{"derived", {{"from", {layer, manifest}}}}}});
  }
  return make_model(parts, staged);
}

void add_reference(Kit& kit, const oci::Descriptor& entry) {
  auto reference = printable(oci::LayoutReader::name_of(entry));
  const auto at = std::lower_bound(kit.references.begin(), kit.references.end(), reference);
  if (reference.empty() || kit.references.size() == k_max_references) return;
  if (at == kit.references.end() || *at != reference) kit.references.insert(at, std::move(reference));
}

/// What the kit is called in messages and by skopeo.
std::string called(const Kit& kit) {
  return kit.references.empty() ? kit.manifest.text() : kit.references.front();
}

/// Files of an import stand below the artifact's name, whatever its version is: versions of one kit come in one after
/// the other. @throws Error{path_collision}
void require_names_of_their_own(const std::vector<Part>& parts) {
  std::map<std::string, const Part*> taken;
  const auto take = [&](const Part& part, const std::string& name) {
    const auto [place, fresh] = taken.emplace(name, &part);
    if (fresh || place->second->kit == part.kit) return;  // one with itself: the import says it
    throw Error(ErrorCode::path_collision,
                fmt::format("the layout holds two {}s with the {} '{}': {} and {}", part.kit->form, part.kind,
                            printable(part.name), called(*place->second->kit), called(*part.kit)),
                "import one at a time: skopeo copy oci:LAYOUT:REFERENCE oci:FOLDER, then import FOLDER");
  };
  for (const auto& part : parts) {
    const auto name = part.kind + "s/" + portable_component(part.name) + "/";
    if (!part.kit->version.empty()) take(part, name + "@" + part.kit->version);
    for (const auto& member : part.members) take(part, name + to_lower(member.place));
  }
}

}  // namespace

std::optional<Found> recognise_modelkit(const std::shared_ptr<const Tree>& tree, const ImportCells& cells) {
  if (!tree->has("oci-layout") || !tree->has("index.json")) return std::nullopt;
  const auto index = oci::parse_manifest(tree->read("index.json", oci::k_max_manifest_bytes), oci::media::oci_index);
  if (!std::holds_alternative<oci::Index>(index)) return std::nullopt;
  auto kits = std::make_shared<std::vector<Kit>>();
  std::map<Digest, std::size_t> known;  // a kit with several tags has an entry for each
  std::size_t others = 0;
  for (const auto& entry : std::get<oci::Index>(index).manifests) {
    // Other entries are of the shapes that come after this one, and theirs to judge.
    const auto path = blob_path(entry.digest);
    if (!oci::media::is_manifest(entry.media_type) || !tree->has(path)) {
      ++others;
      continue;
    }
    if (const auto same = known.find(entry.digest); same != known.end()) {
      add_reference((*kits)[same->second], entry);
      continue;
    }
    auto text = read_blob(*tree, entry.digest, oci::k_max_manifest_bytes);
    const auto any = oci::parse_manifest(text, entry.media_type);
    const auto* manifest = std::get_if<oci::Manifest>(&any);
    if (manifest == nullptr ||
        (manifest->config.media_type != k_kit_config && manifest->config.media_type != k_pack_config)) {
      ++others;
      continue;
    }
    if (kits->size() == k_max_kits) fail(ErrorCode::limit_exceeded, "more than {} models in one folder", k_max_kits);
    known.emplace(entry.digest, kits->size());
    kits->push_back(read_kit(tree, entry.digest, *manifest, std::move(text), cells));
    add_reference(kits->back(), entry);
  }
  if (kits->empty()) return std::nullopt;
  Found found{.shape = "modelkit",
              .words = kits->size() == 1 ? fmt::format("a {} ({})", kits->front().form, kits->front().name)
                                         : counted(kits->size(), kits->front().form),
              .preview = {{"models", Json::array()}}};
  if (others > 0)
    found.notes.push_back(fmt::format("{} of the layout left out", counted(others, "entry that is no ModelKit is",
                                                                           "entries that are no ModelKits are")));
  auto parts = std::make_shared<std::vector<Part>>();
  for (const auto& kit : *kits) {
    found.preview["models"].push_back({{"name", kit.name},
                                       {"version", kit.version},
                                       {"reference", kit.references.empty() ? "" : kit.references.front()},
                                       {"references", kit.references},
                                       {"digest", kit.manifest.text()}});
    found.notes.insert(found.notes.end(), kit.notes.begin(), kit.notes.end());
    for (auto& part : parts_of(kit, found.notes)) parts->push_back(std::move(part));
    const auto short_digest = kit.manifest.hex().substr(0, 12);
    found.kept.push_back({short_digest + ".manifest.json", kit.manifest_text});
    found.kept.push_back({short_digest + ".kitfile.json", kit.config_text});
  }
  require_names_of_their_own(*parts);
  std::set<Digest> checked;
  for (const auto& part : *parts) {
    for (const auto& member : part.members) {
      if (member.layer->raw) {
        found.files.push_back({tree, member.path, member.layer->digest, "the name of the blob"});
        continue;
      }
      found.files.push_back({member.layer->tree, member.path, std::nullopt, {}});
      if (checked.insert(member.layer->digest).second) {
        found.checked.push_back({tree, blob_path(member.layer->digest), member.layer->digest, "the name of the blob"});
      }
    }
  }
  if (parts->empty()) {
    throw Error(ErrorCode::import_unknown,
                fmt::format("the {} holds neither a model nor data that may be taken in", kits->front().form),
                found.notes.empty() ? "pack its model into it" : found.notes.front());
  }
  found.make = [kits, parts](StagedFiles& staged) {
    std::vector<Artifact> out;
    for (const auto& part : *parts) out.push_back(make_part(part, staged));
    return out;
  };
  return found;
}

}  // namespace liftlock
