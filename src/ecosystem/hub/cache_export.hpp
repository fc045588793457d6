// A model or a data set as the cache of huggingface_hub: models--ORG--NAME/{blobs,snapshots,refs} (huggingface_hub
// docs/source/en/guides/manage-cache.md). For files that its clients do not download without Xet (50 GB and more), and
// for machines that reach no mirror at all.
#pragma once

#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/reporter.hpp"
#include "store/maintenance.hpp"

namespace liftlock::hub {

/// Writes blobs first, then the links of the snapshot, then refs/main and refs/VERSION, so that a client that looks
/// meanwhile finds a whole snapshot or none. @param folder the hub folder of the cache (HF_HOME/hub, HF_HUB_CACHE)
/// @return the blobs @throws as export_artifact
std::vector<ExportedFile> export_hub_cache(const BlobStore& store, const Artifact& model, const fs::path& folder,
                                           Reporter& reporter);

}  // namespace liftlock::hub
