// A model that crossed as Ollama has it: its manifest, and the small blobs that are made for it. Equal models give
// equal bytes. What goes in and why: docs/formats/ollama.md.
#pragma once

#include <map>
#include <string>

#include "artifact/artifact.hpp"
#include "ecosystem/ollama/manifest.hpp"
#include "ecosystem/ollama/name.hpp"
#include "store/blob_store.hpp"

namespace liftlock::ollama {

struct Model {
  std::string manifest;                   ///< its bytes
  std::map<Digest, std::string> made;     ///< blobs that the store does not hold
  std::map<Digest, ArtifactFile> stored;  ///< blobs of the store
  std::string chat_format;                ///< of the template that was made; empty: none was
};

/// A model that came from Ollama keeps its manifest byte for byte. Of others the GGUF files are read (headers only).
/// @throws Error{model_unsupported} for a model that Ollama cannot load (no GGUF, a split one), Error{model_malformed}
/// where the manifest names files that are not there, Error{not_found} when the store lacks a file
Model make_model(const Artifact& artifact, const BlobStore& store);

/// Has it a GGUF file? Without reading anything.
bool could_be_model(const Artifact& artifact);

/// What `ollama list` calls it: the name that it had where it was taken from, else the artifact's, with the tag
/// "latest".
Name name_of(const Artifact& artifact);

}  // namespace liftlock::ollama
