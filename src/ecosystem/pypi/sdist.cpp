#include "ecosystem/pypi/sdist.hpp"

#include <optional>

#include "archive/tar_reader.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/pypi/wheel.hpp"

namespace liftlock {

CoreMetadata check_sdist(int fd, const SdistFilename& name, TarLimits limits) {
  std::string top;
  std::optional<std::string> pkg_info;
  read_tar(fd, "the sdist", limits, [&](const TarEntry& entry) -> TarSink {
    if (top.empty()) top = entry.name.substr(0, entry.name.find('/'));
    if (entry.name != top && !entry.name.starts_with(top + "/")) {
      fail(ErrorCode::path_unsafe, "the sdist has an entry '{}' that is outside of its one folder",
           printable(entry.name.substr(0, 200)));
    }
    if (entry.name != top + "/PKG-INFO") return {};
    if (pkg_info) fail(ErrorCode::path_collision, "the sdist has '{}' twice", printable(entry.name));
    if (entry.size > k_max_core_metadata) fail(ErrorCode::limit_exceeded, "PKG-INFO is too large");
    pkg_info.emplace();
    return [&](std::span<const std::uint8_t> bytes) { *pkg_info += as_text(bytes); };
  });
  if (!pkg_info) fail(ErrorCode::package_malformed, "the sdist has no PKG-INFO in its folder");
  auto metadata = parse_core_metadata(*pkg_info);
  check_same_project(metadata, name.name, name.version);
  return metadata;
}

}  // namespace liftlock
