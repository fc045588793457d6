#include "ecosystem/oci/manifest.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock::oci {
namespace media {

bool is_index(std::string_view type) {
  return type == oci_index || type == docker_list;
}
bool is_manifest(std::string_view type) {
  return type == oci_manifest || type == docker_manifest;
}
bool is_config(std::string_view type) {
  return type == oci_config || type == docker_config;
}

bool is_layer(std::string_view type) {
  static constexpr std::array<std::string_view, 9> k_layers = {
      "application/vnd.oci.image.layer.v1.tar",
      "application/vnd.oci.image.layer.v1.tar+gzip",
      "application/vnd.oci.image.layer.v1.tar+zstd",
      "application/vnd.oci.image.layer.nondistributable.v1.tar",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
      "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
      "application/vnd.docker.image.rootfs.diff.tar",
      "application/vnd.docker.image.rootfs.diff.tar.gzip",
      "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"};
  return std::find(k_layers.begin(), k_layers.end(), type) != k_layers.end();
}

}  // namespace media

namespace {

constexpr std::size_t k_max_annotations = 1000;
constexpr JsonLimits k_manifest_limits{.max_bytes = k_max_manifest_bytes, .max_depth = 32};
constexpr JsonLimits k_config_limits{.max_bytes = k_max_config_bytes, .max_depth = 64};

/// Go folds ASCII case and the two letters of other scripts that fold into it (ſ and K).
std::string folded(std::string_view key) {
  auto out = to_lower(key);
  for (const auto& [from, to] :
       {std::pair<std::string_view, std::string_view>{"\xC5\xBF", "s"}, {"\xE2\x84\xAA", "k"}}) {
    for (auto at = out.find(from); at != std::string::npos; at = out.find(from)) out.replace(at, from.size(), to);
  }
  return out;
}

/// Keys that one decoder takes for a known key and another does not.
void refuse_lookalikes(const Json& object, std::span<const std::string_view> known, std::string_view where) {
  if (!object.is_object()) fail(ErrorCode::schema_violation, "{}: an object is expected", where);
  for (const auto& [key, value] : object.items()) {
    for (const auto& name : known) {
      if (key != name && folded(key) == to_lower(name)) {
        fail(ErrorCode::image_malformed, "{}: the key '{}' looks like '{}'", where, printable(key), name);
      }
    }
  }
}

constexpr std::array<std::string_view, 10> k_manifest_keys = {
    "schemaVersion", "mediaType",   "config",       "layers",   "manifests",
    "subject",       "annotations", "artifactType", "fsLayers", "blobs"};
constexpr std::array<std::string_view, 8> k_descriptor_keys = {"mediaType", "digest",      "size", "platform",
                                                               "urls",      "annotations", "data", "artifactType"};
constexpr std::array<std::string_view, 5> k_platform_keys = {"os", "architecture", "variant", "os.version",
                                                             "os.features"};

std::map<std::string, std::string> parse_strings(const Json& object, std::string_view key, std::string_view where) {
  std::map<std::string, std::string> out;
  const auto found = object.find(std::string(key));
  if (found == object.end() || found->is_null()) return out;
  if (!found->is_object()) fail(ErrorCode::schema_violation, "{}: '{}' must be an object", where, key);
  if (found->size() > k_max_annotations)
    fail(ErrorCode::limit_exceeded, "{}: {} entries in '{}'", where, found->size(), key);
  for (const auto& [name, value] : found->items()) {
    if (!value.is_string()) fail(ErrorCode::schema_violation, "{}: '{}' must hold strings", where, key);
    out.emplace(name, value.get<std::string>());
  }
  return out;
}

Platform parse_platform_object(const Json& json, std::string_view where) {
  refuse_lookalikes(json, k_platform_keys, where);
  return {string_member(json, "os", where), string_member(json, "architecture", where),
          string_member_or(json, "variant", "", where)};
}

std::optional<Descriptor> parse_subject(const Json& json) {
  const auto found = json.find("subject");
  if (found == json.end() || found->is_null()) return std::nullopt;
  return parse_descriptor(*found, "the subject");
}

std::vector<Descriptor> parse_descriptors(const Json& json, std::string_view key, std::size_t limit) {
  const auto& array = array_member(json, key, "the manifest");
  if (array.size() > limit) {
    fail(ErrorCode::limit_exceeded, "the manifest lists {} {}; at most {} are read", array.size(), key, limit);
  }
  std::vector<Descriptor> out;
  for (std::size_t i = 0; i < array.size(); ++i) {
    out.push_back(parse_descriptor(array[i], fmt::format("entry {} of {}", i + 1, key)));
  }
  return out;
}

/// The type that the document has; its own word, the announced one and its form must not disagree.
std::string decide_type(const Json& json, std::string_view announced) {
  const bool index_form = json.contains("manifests");
  const bool manifest_form = json.contains("layers") || json.contains("config");
  if (index_form && manifest_form) {
    fail(ErrorCode::image_malformed, "the document is a manifest and an index at once (CVE-2021-41190)");
  }
  if (json.contains("fsLayers") || (json.contains("schemaVersion") && json["schemaVersion"] == 1)) {
    throw Error(ErrorCode::image_malformed, "the image has a Docker schema 1 manifest, which nothing verifies any more",
                "push it again with a current client, or save it with `skopeo copy docker://… oci:FOLDER`");
  }
  const auto stated = string_member_or(json, "mediaType", "", "the manifest");
  if (!stated.empty() && !announced.empty() && stated != announced) {
    fail(ErrorCode::image_malformed, "the manifest says that it is {}, its descriptor says {}", printable(stated),
         printable(announced));
  }
  auto type = !stated.empty() ? stated : std::string(announced);
  if (type.empty()) type = index_form ? media::oci_index : media::oci_manifest;
  if (!(index_form ? media::is_index(type) : media::is_manifest(type))) {
    fail(ErrorCode::image_malformed, "a document of type {} is no manifest or index of that form", printable(type));
  }
  return type;
}

}  // namespace

std::string Descriptor::annotation(const std::string& key) const {
  const auto found = annotations.find(key);
  return found == annotations.end() ? "" : found->second;
}

Descriptor parse_descriptor(const Json& json, std::string_view where) {
  refuse_lookalikes(json, k_descriptor_keys, where);
  const auto text = string_member(json, "digest", where);
  const auto digest = Digest::try_parse(text);
  if (!digest) {
    fail(ErrorCode::schema_violation, "{}: the digest '{}' is not sha256:<64 lower-case hex digits>", where,
         printable(text.substr(0, 200)));
  }
  Descriptor out{.media_type = string_member(json, "mediaType", where),
                 .digest = *digest,
                 .size = uint_member(json, "size", where),
                 .platform = std::nullopt,
                 .artifact_type = string_member_or(json, "artifactType", "", where),
                 .annotations = parse_strings(json, "annotations", where)};
  if (out.size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail(ErrorCode::limit_exceeded, "{}: a size of {} bytes", where, out.size);
  }
  if (out.media_type.size() > 255)
    fail(ErrorCode::limit_exceeded, "{}: a media type of {} bytes", where, out.media_type.size());
  const auto platform = json.find("platform");
  if (platform != json.end() && !platform->is_null()) out.platform = parse_platform_object(*platform, where);
  return out;
}

Json descriptor_json(const Descriptor& descriptor) {
  Json out = {{"mediaType", descriptor.media_type}, {"digest", descriptor.digest.text()}, {"size", descriptor.size}};
  if (!descriptor.artifact_type.empty()) out["artifactType"] = descriptor.artifact_type;
  if (!descriptor.annotations.empty()) out["annotations"] = descriptor.annotations;
  if (descriptor.platform) {
    out["platform"] = {{"os", descriptor.platform->os}, {"architecture", descriptor.platform->architecture}};
    if (!descriptor.platform->variant.empty()) out["platform"]["variant"] = descriptor.platform->variant;
  }
  return out;
}

AnyManifest parse_manifest(std::string_view bytes, std::string_view media_type) {
  const auto json = parse_json(bytes, k_manifest_limits);
  refuse_lookalikes(json, k_manifest_keys, "the manifest");
  const auto type = decide_type(json, media_type);
  if (uint_member(json, "schemaVersion", "the manifest") != 2) {
    fail(ErrorCode::image_malformed, "the manifest's schemaVersion is not 2");
  }
  auto artifact_type = string_member_or(json, "artifactType", "", "the manifest");
  auto annotations = parse_strings(json, "annotations", "the manifest");
  if (media::is_index(type)) {
    return Index{.media_type = type,
                 .manifests = parse_descriptors(json, "manifests", k_max_manifests),
                 .subject = parse_subject(json),
                 .artifact_type = std::move(artifact_type),
                 .annotations = std::move(annotations)};
  }
  auto config = parse_descriptor(member(json, "config", "the manifest"), "the config");
  if (artifact_type.empty()) artifact_type = config.media_type;
  return Manifest{.media_type = type,
                  .config = std::move(config),
                  .layers = parse_descriptors(json, "layers", k_max_layers),
                  .subject = parse_subject(json),
                  .artifact_type = std::move(artifact_type),
                  .annotations = std::move(annotations)};
}

ImageConfig parse_image_config(std::string_view bytes) {
  static constexpr std::array<std::string_view, 6> k_keys = {"architecture", "os",     "variant",
                                                             "config",       "rootfs", "history"};
  static constexpr std::array<std::string_view, 2> k_rootfs_keys = {"type", "diff_ids"};
  const std::string_view where = "the image config";
  const auto json = parse_json(bytes, k_config_limits);
  refuse_lookalikes(json, k_keys, where);
  ImageConfig out;
  out.platform = {string_member_or(json, "os", "", where), string_member_or(json, "architecture", "", where),
                  string_member_or(json, "variant", "", where)};
  const auto& rootfs = object_member(json, "rootfs", where);
  refuse_lookalikes(rootfs, k_rootfs_keys, where);
  if (string_member(rootfs, "type", where) != "layers") {
    fail(ErrorCode::image_malformed, "the image config's rootfs is not of type 'layers'");
  }
  // "diff_ids": null is what Go writes for an image without layers.
  if (const auto ids = rootfs.find("diff_ids"); ids != rootfs.end() && !ids->is_null()) {
    if (!ids->is_array() || ids->size() > k_max_layers) fail(ErrorCode::image_malformed, "the image config's diff_ids");
    for (const auto& id : *ids) {
      const auto digest = id.is_string() ? Digest::try_parse(id.get_ref<const std::string&>()) : std::nullopt;
      if (!digest) fail(ErrorCode::image_malformed, "the image config has a diff_id that is no sha256: digest");
      out.diff_ids.push_back(*digest);
    }
  }
  if (const auto config = json.find("config"); config != json.end() && config->is_object()) {
    out.labels = parse_strings(*config, "Labels", where);
  }
  return out;
}

const std::string& media_type_of(const AnyManifest& manifest) {
  return std::visit([](const auto& any) -> const std::string& { return any.media_type; }, manifest);
}
const std::optional<Descriptor>& subject_of(const AnyManifest& manifest) {
  return std::visit([](const auto& any) -> const std::optional<Descriptor>& { return any.subject; }, manifest);
}
const std::string& artifact_type_of(const AnyManifest& manifest) {
  return std::visit([](const auto& any) -> const std::string& { return any.artifact_type; }, manifest);
}
const std::map<std::string, std::string>& annotations_of(const AnyManifest& manifest) {
  return std::visit([](const auto& any) -> const std::map<std::string, std::string>& { return any.annotations; },
                    manifest);
}

}  // namespace liftlock::oci
