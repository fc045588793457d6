// Reading tar archives that may be hostile, plain or gzipped, once and from the front, over libarchive.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "archive/tar_file.hpp"

namespace liftlock {

struct TarLimits {
  std::uint64_t entries = 300'000;
  std::uint64_t ratio = 200;
  std::uint64_t free_size = 64u << 20;  ///< unpacked size beyond ratio * (size of the archive)
};

struct TarEntry {
  std::string name;  ///< safe: relative, no "..", no backslash; without a '/' at its end
  bool is_folder = false;
  std::uint64_t size = 0;
};

/// Given the bytes of one entry, in blocks.
using TarSink = std::function<void(std::span<const std::uint8_t>)>;

/// Reads the whole archive and tells of each entry in turn. Refused: links and special files, unsafe names (control
/// bytes among them), what is no sound tar to its end or compressed more than once, and what would unpack past the
/// limits (a sparse file counts with the size it states).
/// @param fd its offset is neither used nor moved
/// @param what names the archive in errors: "the sdist"
/// @param on_entry returns where its bytes go; an empty function for bytes that nobody needs. What it throws passes.
/// @throws Error{package_malformed, path_unsafe, not_regular, limit_exceeded}
void read_tar(int fd, std::string_view what, const TarLimits& limits,
              const std::function<TarSink(const TarEntry&)>& on_entry);
void read_tar(const TarFile& file, std::string_view what, const TarLimits& limits,
              const std::function<TarSink(const TarEntry&)>& on_entry);

}  // namespace liftlock
