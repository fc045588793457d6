// Does an "apt-index" artifact hold together: is its Packages file the one that its InRelease states?
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::apt {

/// Evidence that travels: an InRelease and one Packages file, as they were fetched (docs/formats/apt.md).
inline constexpr std::string_view k_index_kind = "apt-index";

/// Findings: an InRelease that is no clear-signed document, or that states another digest or size for the index. Facts:
/// suite, codename, date, valid_until. The signature is not judged here: that needs a keyring, which is the receiver's.
class IndexInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  bool reads(const Artifact& artifact, std::size_t index) const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

}  // namespace liftlock::apt
