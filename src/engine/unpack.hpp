// Unpacks an engine package into a folder of its own.
#pragma once

#include "engine/package_reader.hpp"
#include "os/file.hpp"

namespace liftlock::engine {

/// The folder appears whole or not at all: it is made beside its place under another name, synced and renamed. Files
/// are 0555 or 0444 (an engine does not change itself), folders 0755, owned by whoever runs this.
/// @param folder must not exist; its parent must
/// @throws Error{engine_malformed, path_unsafe, limit_exceeded, immutable, disk_full, io_error}
EngineManifest unpack_engine(int tar_fd, const fs::path& folder, EngineLimits limits = {});

}  // namespace liftlock::engine
