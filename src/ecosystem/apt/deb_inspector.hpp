// Is a "deb" artifact the package that it claims to be, and does it unpack without surprises?
#pragma once

#include "ecosystem/inspector.hpp"

namespace liftlock::apt {

/// Findings: a broken framing or tar, a control that names another package, version or architecture, a path that is
/// absolute or traverses, a hard link that leaves the package, a device node. Facts: package, version, architecture,
/// the licences of a machine-readable copyright file, installed files and bytes, maintainer scripts, setuid and setgid
/// files (told, not refused: dpkg lets root decide).
class DebInspector : public Inspector {
 public:
  std::span<const std::string_view> kinds() const override;
  Inspection inspect(const Artifact& artifact, std::span<const int> files) const override;
};

/// The name an artifact has without the architecture that a foreign package carries ("libc6" of "libc6:i386").
std::string_view package_of(std::string_view artifact_name);

}  // namespace liftlock::apt
