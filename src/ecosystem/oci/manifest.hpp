// Manifests, indexes and image configs of OCI image-spec 1.1 and Docker image manifest v2 schema 2 and manifest lists.
//
// Strict where clients disagree: duplicate keys, keys that differ from a known one only by case (Go's decoder folds
// case, others do not), documents that are manifest and index at once (CVE-2021-41190) and a mediaType that is not the
// announced one are refused. Unknown keys are kept out of the values and allowed, as the specification demands.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "ecosystem/oci/reference.hpp"

namespace liftlock::oci {

namespace media {
inline constexpr std::string_view oci_index = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view oci_manifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view oci_config = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view oci_layer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view docker_list = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view docker_manifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view docker_config = "application/vnd.docker.container.image.v1+json";

bool is_index(std::string_view type);
bool is_manifest(std::string_view type);
bool is_config(std::string_view type);
/// A tar, plain or compressed, that is unpacked into a container's root.
bool is_layer(std::string_view type);
}  // namespace media

/// Annotation by which BuildKit ties an attestation to its image inside one index: the image's digest.
inline constexpr const char* k_attests = "vnd.docker.reference.digest";

inline constexpr std::uint64_t k_max_manifest_bytes = 4u << 20;  ///< what registries promise to take
inline constexpr std::uint64_t k_max_config_bytes = 8u << 20;
inline constexpr std::size_t k_max_layers = 1024;
inline constexpr std::size_t k_max_manifests = 1024;

/// How one document names another: by type, size and digest.
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;  ///< below 2^63: clients keep it in a signed number
  std::optional<Platform> platform;
  std::string artifact_type;
  std::map<std::string, std::string> annotations;

  /// The annotation, or empty.
  std::string annotation(const std::string& key) const;
  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  std::string media_type;
  Descriptor config;
  std::vector<Descriptor> layers;
  std::optional<Descriptor> subject;
  std::string artifact_type;  ///< the member, else the config's media type
  std::map<std::string, std::string> annotations;
};

struct Index {
  std::string media_type;
  std::vector<Descriptor> manifests;
  std::optional<Descriptor> subject;
  std::string artifact_type;
  std::map<std::string, std::string> annotations;
};

using AnyManifest = std::variant<Manifest, Index>;

/// @param media_type as the descriptor or the registry gave it; empty: what the document says, else its form
/// @throws Error{image_malformed, json_invalid, json_duplicate_key, schema_violation, limit_exceeded}
AnyManifest parse_manifest(std::string_view bytes, std::string_view media_type = {});

/// What Liftlock reads of an image config.
struct ImageConfig {
  Platform platform;
  std::vector<Digest> diff_ids;
  std::map<std::string, std::string> labels;
};
/// @throws as parse_manifest
ImageConfig parse_image_config(std::string_view bytes);

/// @throws Error{schema_violation, limit_exceeded}
Descriptor parse_descriptor(const Json& json, std::string_view where);
Json descriptor_json(const Descriptor& descriptor);

const std::string& media_type_of(const AnyManifest& manifest);
const std::optional<Descriptor>& subject_of(const AnyManifest& manifest);
const std::string& artifact_type_of(const AnyManifest& manifest);
const std::map<std::string, std::string>& annotations_of(const AnyManifest& manifest);

}  // namespace liftlock::oci
