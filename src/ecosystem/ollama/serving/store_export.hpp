// A model written into a store of Ollama, as `ollama pull` would have left it there.
#pragma once

#include <vector>

#include "base/reporter.hpp"
#include "ecosystem/ollama/serving/model.hpp"
#include "store/maintenance.hpp"

namespace liftlock::ollama {

/// Blobs first, each checked while it is copied, then the manifest by one rename: Ollama sees the whole model or none,
/// also while it runs. All are readable by everybody and writable by the store's owner; run by root in a folder of
/// another user's, they become that user's. @param store_folder made when missing
/// @return the blobs and, last, the manifest @throws as export_artifact and make_model
std::vector<ExportedFile> export_to_store(const BlobStore& blobs, const Artifact& artifact, const Name& name,
                                          const fs::path& store_folder, Reporter& reporter);

}  // namespace liftlock::ollama
