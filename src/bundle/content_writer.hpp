// Low side: writes the content of a bundle, from the store or from memory, as a tree of files or as one content.tar.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/manifest.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

/// Files that are made while packing, images/index.json and its like: path and content.
using GeneratedFiles = std::vector<std::pair<RelPath, std::string>>;

/// What a run that was killed left, and this one keeps.
struct Leftovers {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

/// Removes from `folder` what write_content() with these files would not write: the killed run may have packed another
/// lock. What stays is read and hashed again by write_content().
Leftovers keep_leftovers(const fs::path& folder, const std::vector<FileEntry>& files, ContentForm form);

/// Writes `files` below `folder`, on all cores, each byte read once and hashed on its way; what lies there whole is
/// left. Nothing is synced: that is the caller's, for all at once.
/// @param files sorted by path; those that are not in `generated` are in the store
/// @throws Error{blob_corrupt} a file of the store is damaged; {upstream_changed} a local file that it refers to
/// changed
void write_content(const BlobStore& store, const std::vector<FileEntry>& files, const GeneratedFiles& generated,
                   ContentForm form, const fs::path& folder, Reporter& reporter);

}  // namespace liftlock
