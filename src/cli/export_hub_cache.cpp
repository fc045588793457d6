#include "cli/export_layouts.hpp"
#include "ecosystem/hub/cache_export.hpp"

namespace liftlock {

std::vector<ExportedFile> export_hub_cache(const LayoutOrder& order) {
  return hub::export_hub_cache(order.store.blobs, order.artifacts.front(), order.to, order.reporter);
}

}  // namespace liftlock
