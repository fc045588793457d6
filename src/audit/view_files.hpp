// Inside of audit: the files that are made of the journal, for whoever reads the log.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {

/// A sync that failed is final. Also for want of room: it is not tried again with the reserve, as a write is, and has
/// another code. So is a folder that could not even be opened for it: a name was made there by then, and nobody knows
/// whether it will be found after a power cut.
template <typename F>
void sync_once(std::atomic<bool>& failed, F&& sync) {
  try {
    sync();
  } catch (const Error& error) {
    failed = true;
    throw Error(ErrorCode::io_error, error.what());
  }
}

/// Full tiles and bundles, durable when it returns. Many are written before the first is synced, and each folder is
/// synced once: on a journaling file system the syncs of a batch share their work. Several threads and processes may be
/// at it: what they write is the same.
/// @param root the log's folder
/// @param failed see sync_once()
void publish_files(const fs::path& root, std::span<const std::pair<fs::path, std::string>> files,
                   std::atomic<bool>& failed);

/// A file that readers see whole or not at all, without any fsync: the journal can make it again.
void write_view(const fs::path& path, std::string_view content);

}  // namespace liftlock
