// One named, versioned thing of one kind that crosses the gap: its files, where they come from, and why we believe it.
// Plain values; the JSON form stands in the lock, in manifest/artifacts.jsonl and in the catalog
// (docs/formats/lock.md).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "base/rel_path.hpp"

namespace liftlock {

/// Why a digest is believed. `type` is one of: "apt-release" (InRelease signature → Packages → file), "rpm-repomd"
/// (signature of repomd.xml → primary list → package), "rpm-signature" (the package's own OpenPGP signature),
/// "index-hash" (the package index stated it), "lock-hash" (the lock file of the ecosystem's own client stated it:
/// package-lock.json, Cargo.lock, go.sum), "registry-digest" (addressed by digest in a registry), "lfs-oid", "git-oid"
/// (Hub), "stated" (the stack file gives it), "first-use" (nothing but the first download says so), "derived" (made
/// here from evidenced inputs, which `details` lists).
struct Evidence {
  std::string type;
  Json details;  ///< an object; its members depend on the type

  bool operator==(const Evidence&) const = default;
};

struct ArtifactFile {
  RelPath path;  ///< where it stands in a bundle, e.g. packages/pypi/idna-3.4-py3-none-any.whl
  std::uint64_t size = 0;
  Digest digest;       ///< SHA-256
  std::string origin;  ///< URL or local path it was taken from; never holds credentials
  std::vector<Evidence> evidence;

  bool operator==(const ArtifactFile&) const = default;
};

struct Artifact {
  std::string kind;             ///< "wheel", "sdist", "deb", "image", "model", "engine", "file"
  std::string name;             ///< as the ecosystem normalises it
  std::string version;          ///< as the ecosystem writes it; for images the tag, or the digest when there is no tag
  std::string license;          ///< as the ecosystem states it; empty when it does not
  Json facts = Json::object();  ///< what the room of this kind wants to know again; small
  std::vector<std::string> needs;   ///< ids of artifacts this one needs to work
  std::vector<ArtifactFile> files;  ///< sorted by path, at least one

  /// "kind:name@version"; unique within a lock, a bundle and a publication.
  std::string id() const;
  std::uint64_t total_size() const;
  bool operator==(const Artifact&) const = default;
};

Json to_json(const Artifact& artifact);
/// @throws Error{schema_violation, path_unsafe, limit_exceeded}
Artifact artifact_from_json(const Json& json);

Json to_json(const ArtifactFile& file);
/// @param where names the document in errors. @throws Error{schema_violation, path_unsafe, limit_exceeded}
ArtifactFile artifact_file_from_json(const Json& json, std::string_view where);

}  // namespace liftlock
