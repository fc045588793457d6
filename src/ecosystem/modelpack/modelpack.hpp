// A model that crossed as an OCI artifact of the CNCF ModelPack specification (modelpack/model-spec docs/spec.md,
// docs/config.md): every file is a layer of its own, with the bytes that the store holds. Format:
// docs/formats/modelpack.md.
#pragma once

#include <string>
#include <string_view>

#include "artifact/artifact.hpp"
#include "ecosystem/oci/made_registry.hpp"

namespace liftlock::modelpack {

namespace media {
inline constexpr std::string_view artifact = "application/vnd.cncf.model.manifest.v1+json";
inline constexpr std::string_view config = "application/vnd.cncf.model.config.v1+json";
inline constexpr std::string_view weight = "application/vnd.cncf.model.weight.v1.raw";
inline constexpr std::string_view weight_config = "application/vnd.cncf.model.weight.config.v1.raw";
inline constexpr std::string_view doc = "application/vnd.cncf.model.doc.v1.raw";
inline constexpr std::string_view code = "application/vnd.cncf.model.code.v1.raw";
}  // namespace media

/// By the name alone, which is what the specification's annotation "untested" is for.
std::string_view media_type_of(std::string_view path);

/// What the model is called in a registry: its name in lower case, with '-' for what registries do not allow.
std::string repository_name(const Artifact& model);
/// Its version, with '-' for what no tag has.
std::string tag_of(const Artifact& model);

/// Is this manifest, of whoever made it, a ModelPack of exactly these files under exactly these names, each once?
bool has_files_of(std::string_view manifest, const Artifact& model);

/// Equal models give equal bytes. Reads nothing.
oci::MadeManifest make_modelpack(const Artifact& model);

}  // namespace liftlock::modelpack
