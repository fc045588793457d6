// Packages as plain folders: a wheelhouse, .deb and .rpm files.
#include <algorithm>
#include <set>

#include "cli/export_layouts.hpp"

namespace liftlock {

std::vector<Artifact> with_needs(const LayoutOrder& order, const std::set<std::string_view>& kinds) {
  std::vector<Artifact> out = order.artifacts;
  std::set<std::string> seen;
  for (const auto& artifact : out) seen.insert(artifact.id());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto needs = out[i].needs;
    for (const auto& need : needs) {
      if (!seen.insert(need).second) continue;
      auto found = order.store.catalog.find(need);
      if (found && kinds.contains(found->kind)) out.push_back(std::move(*found));
    }
  }
  return out;
}

namespace {

std::vector<ExportedFile> write_flat(const LayoutOrder& order, const std::set<std::string_view>& kinds) {
  std::vector<ExportedFile> files;
  for (const auto& artifact : with_needs(order, kinds)) {
    auto written = export_artifact(order.store.blobs, artifact, order.to, ExportLayout::flat, order.reporter);
    files.insert(files.end(), written.begin(), written.end());
  }
  write_export_list(order.to, "SHA256SUMS", files);
  return files;
}

}  // namespace

std::vector<ExportedFile> export_wheelhouse(const LayoutOrder& order) {
  return write_flat(order, {"wheel", "sdist"});
}

std::vector<ExportedFile> export_debs(const LayoutOrder& order) {
  return write_flat(order, {"deb"});
}

std::vector<ExportedFile> export_rpms(const LayoutOrder& order) {
  return write_flat(order, {"rpm"});
}

}  // namespace liftlock
