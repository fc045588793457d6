#include "cli/export_layouts.hpp"

namespace liftlock {

std::vector<ExportedFile> export_model_folder(const LayoutOrder& order) {
  auto files =
      export_artifact(order.store.blobs, order.artifacts.front(), order.to, ExportLayout::flat, order.reporter);
  write_export_list(order.to, "MODEL_MANIFEST.sha256", files);
  return files;
}

}  // namespace liftlock
