// Everything the mirror serves at one moment: made whole from the catalog, swapped whole, never changed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ecosystem/route.hpp"
#include "server/file_tree.hpp"
#include "server/page_cache.hpp"
#include "server/sync_pages.hpp"
#include "store/catalog.hpp"

namespace liftlock {

struct MirrorState {
  std::uint64_t generation = 0;
  std::shared_ptr<const MirrorView> view;
  std::vector<std::unique_ptr<const Route>> routes;
  std::vector<PublicationSummary> publications;
  std::uint64_t bytes = 0;  ///< of the distinct blobs
  FileTree files;           ///< KIND/NAME/VERSION/PATH
  FileTree bundles;         ///< CHANNEL/SEQUENCE/PATH
  SyncPages sync;
  /// What the routes made of this state so far.
  const std::unique_ptr<PageCache> pages = std::make_unique<PageCache>();
  std::map<std::string, std::uint64_t, std::less<>> latest;  ///< by channel
};

/// Reads all publications. @throws what the catalog throws and, where environment.warn is empty, the routes
std::shared_ptr<const MirrorState> load_mirror_state(const Catalog& catalog, const std::vector<MakeRoute>& table,
                                                     const RouteEnvironment& environment);

}  // namespace liftlock
