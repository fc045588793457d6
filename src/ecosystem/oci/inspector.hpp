// Is an image whole, and does each of its layers hold what its config says?
#pragma once

#include "ecosystem/inspector.hpp"
#include "ecosystem/oci/layer.hpp"

namespace liftlock::oci {

/// Checks that every manifest, index and config is well formed; that every digest they name is among the files or was
/// left out by the choice of platforms; that the announced sizes are the sizes; that no file is left over; and that
/// each layer is a tar within bounds whose SHA-256, uncompressed, is its diff_id.
/// facts: {"manifests", "layers", "unpacked_bytes", "entries", "devices", "set_id", "platforms"}, and
/// "hidden_downloads" (HiddenMarks), where its layers have packages that download something.
class ImageInspector : public Inspector {
 public:
  explicit ImageInspector(LayerLimits limits = {}) : m_limits(limits) {}
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;

  /// Images share layers: what is too large for a manifest or a config is looked at as a layer, once.
  bool stands_alone(const Artifact& artifact, std::size_t index) const override;
  /// facts: those of a LayerReport.
  Inspection inspect_file(int file) const override;
  Inspection inspect_rest(const Artifact& artifact, std::span<const int> files,
                          const FileInspections& inspected) const override;

 private:
  LayerLimits m_limits;
};

}  // namespace liftlock::oci
