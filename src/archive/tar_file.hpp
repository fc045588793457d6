// A tar that more than one reader goes through: a small one is unpacked once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

namespace liftlock {

class TarFile {
 public:
  /// @param fd its offset is neither used nor moved; must outlive this
  /// @param what names the archive in errors: "the tarball"
  /// @throws Error{not_regular}
  TarFile(int fd, std::string_view what);

  /// Unpacks it into memory. Without effect where that needs more than `most` bytes, or something is wrong with it:
  /// then each reader meets that by itself, and says so in its own way.
  void keep_if_small(std::size_t most);

  int fd() const { return m_fd; }
  /// Of the file.
  std::uint64_t packed_size() const { return m_packed_size; }
  /// The bytes below the compression; nullopt where they are not kept.
  std::optional<std::span<const std::uint8_t>> unpacked() const;

 private:
  int m_fd;
  std::uint64_t m_packed_size;
  std::unique_ptr<std::uint8_t[]> m_bytes;
  std::size_t m_size = 0;
};

}  // namespace liftlock
