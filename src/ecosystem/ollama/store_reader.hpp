// A store of Ollama on the disk: manifests/HOST/NAMESPACE/MODEL/TAG and blobs/sha256-HEX. Read only.
// Format: docs/formats/ollama.md.
#pragma once

#include <string>
#include <vector>

#include "ecosystem/ollama/manifest.hpp"
#include "ecosystem/ollama/name.hpp"
#include "os/file.hpp"

namespace liftlock::ollama {

/// The folder that holds manifests/ and blobs/: the given one, or its "models" (of ~/.ollama).
/// @throws Error{not_found}
fs::path find_store(const fs::path& folder);
/// OLLAMA_MODELS, else ~/.ollama/models, else the one of the service that Ollama's installer makes.
fs::path default_store();

fs::path blob_path(const fs::path& store, const Digest& digest);
fs::path manifest_path(const fs::path& store, const Name& name);

/// Sorted; what is no manifest by its path is left out.
std::vector<Name> names_in(const fs::path& store);

struct StoredModel {
  Name name;
  std::string bytes;  ///< of the manifest
  Manifest manifest;
};
/// @throws Error{not_found} naming those that are there, and what parse_manifest throws
StoredModel read_model(const fs::path& store, const Name& name);

}  // namespace liftlock::ollama
