// What an artifact of kind "image" says of itself, and the OCI image layout that a bundle's images/ folder is.
// Format: docs/formats/image.md.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "artifact/artifact.hpp"
#include "ecosystem/oci/manifest.hpp"

namespace liftlock::oci {

inline constexpr std::string_view k_image_kind = "image";

/// A signature, attestation, SBOM … that upstream attached to the image.
struct Referrer {
  Descriptor manifest;
  Digest subject;   ///< the manifest it speaks of
  std::string tag;  ///< cosign's "sha256-<hex>.sig" form; empty when it was found through the referrers API
};

/// Artifact::facts of an image.
struct ImageFacts {
  std::string ref;                     ///< where it comes from: "HOST/NAME:TAG", or the archive's path
  Descriptor manifest;                 ///< the manifest or index that name and version mean
  std::vector<std::string> platforms;  ///< that were chosen: "linux/amd64"; "all"
  std::vector<Digest> left_out;        ///< manifests of the index that were not chosen, sorted
  std::vector<Referrer> referrers;     ///< sorted by digest, then by tag
};

Json image_facts_json(const ImageFacts& facts);
/// @throws Error{schema_violation, limit_exceeded}
ImageFacts parse_image_facts(const Json& facts);

/// What a registry calls it, of ImageFacts::ref, with its host; nullopt for images of archives and folders.
std::optional<Reference> upstream_of(const std::string& ref);

/// "registry.example:5000" → "registry.example_5000": what may stand in a repository's name. The mirror answers to
/// HOST/NAME as to NAME.
std::string host_component(std::string_view host);

/// images/blobs/sha256/<hex>
RelPath blob_path(const Digest& digest);

/// "NAME:TAG", or "NAME@sha256:…" for an artifact whose version is a digest.
std::string layout_ref(const Artifact& image);

/// The two documents that make the bundle's images/ folder one OCI image layout: images/index.json and
/// images/oci-layout, byte for byte the same for the same artifacts in any order. Each image stands there under
/// org.opencontainers.image.ref.name = layout_ref(), its cosign tags under "NAME:sha256-<hex>.sig", referrers without
/// a name. Empty when no artifact is an image. @throws Error{schema_violation}
std::vector<std::pair<RelPath, std::string>> assemble_oci_layout(std::span<const Artifact> artifacts);

/// The images/index.json of both: of a name that both have, that of `added` counts.
/// @throws Error{json_invalid, schema_violation}
std::string merge_oci_index(std::string_view existing, std::string_view added);

}  // namespace liftlock::oci
