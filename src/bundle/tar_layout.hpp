// content.tar: a POSIX pax archive that follows from the list of files alone, so that its headers are compared, never
// parsed, and every file can be read at a known offset.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bundle/manifest.hpp"

namespace liftlock {

/// The header blocks of one regular file: mode 0644, owner 0, time 0; a pax record where ustar has no room for the path
/// or the size. A multiple of 512 bytes.
std::string tar_header(const RelPath& path, std::uint64_t size);

struct TarMember {
  std::uint64_t header_offset = 0;
  std::uint64_t data_offset = 0;
};

struct TarLayout {
  std::vector<TarMember> members;  ///< in the order of the files
  std::uint64_t end_offset = 0;    ///< where the two zero blocks begin
  std::uint64_t total_size = 0;
};

TarLayout tar_layout(const std::vector<FileEntry>& files);

/// Zero bytes after `size` bytes of data up to the next block.
inline std::uint64_t tar_padding(std::uint64_t size) {
  return (512 - size % 512) % 512;
}

}  // namespace liftlock
