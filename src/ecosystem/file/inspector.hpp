// Both sides: plain files are carried as they are. What they hold is for a scanner to judge; their digests were
// checked.
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock {

class FileInspector final : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  bool reads(const Artifact& artifact, std::size_t index) const override;
  /// Accepts every file; the facts say for the first hundred what their first bytes look like ("program (ELF)", "gzip",
  /// "text" …).
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock
