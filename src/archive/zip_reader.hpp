// Reading zip archives that may be hostile, as Python's zipfile sees them: the central directory decides, and anything
// on which two readers could disagree is refused. Source: PKWARE APPNOTE 6.3.10, with zip64.
//
// Why not libarchive here: it also reads what this refuses (a prefix, local headers that differ, names twice), and its
// seekable reader does not say where it looked. tar files do go through libarchive.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace liftlock {

struct ZipLimits {
  std::size_t entries = 300'000;
  std::uint64_t directory_size = 64u << 20;
  std::uint64_t entry_size = 64ull << 30;
  /// All entries together may unpack to at most free_size + ratio * (size of the archive).
  std::uint64_t ratio = 100;
  std::uint64_t free_size = 64u << 20;
};

struct ZipEntry {
  std::string name;  ///< safe: relative, no "..", no backslash, UTF-8; folders end in '/'
  std::uint64_t size = 0;
  std::uint64_t packed_size = 0;
  std::uint64_t offset = 0;  ///< of the local header
  std::uint64_t limit = 0;   ///< where the next entry, or the directory, begins
  std::uint32_t crc = 0;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;  ///< 0 stored, 8 deflated

  bool is_folder() const { return name.ends_with('/'); }
};

class ZipReader {
 public:
  using Sink = std::function<void(std::span<const std::uint8_t>)>;

  /// Reads the directory only. fd must outlive the reader; its offset is neither used nor moved.
  /// Refused: a prefix before the first or a gap behind the last record, several disks, encryption, other methods,
  /// names twice or unsafe, links and special files, overlapping entries, sizes past the limits.
  /// @throws Error{package_malformed, limit_exceeded}
  explicit ZipReader(int fd, ZipLimits limits = {});

  const std::vector<ZipEntry>& entries() const { return m_entries; }
  const ZipEntry* find(std::string_view name) const;
  std::uint64_t archive_size() const { return m_size; }

  /// Unpacks one entry in blocks; checks its local header, size and CRC-32.
  /// @throws Error{package_malformed}
  void stream(const ZipEntry& entry, const Sink& sink) const;
  /// @throws Error{package_malformed, limit_exceeded}
  std::string read(const ZipEntry& entry, std::uint64_t max_bytes) const;
  /// Where the bytes of an entry begin, its packed_size of them: for who reads stored entries in place. Its local
  /// header was compared with the directory. @throws Error{package_malformed}
  std::uint64_t content_offset(const ZipEntry& entry) const;

 private:
  struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t count = 0;
  };
  Directory find_directory() const;
  Directory zip64_directory(std::uint64_t locator, const Directory& plain) const;
  ZipEntry parse_entry(std::span<const std::uint8_t>& rest, const Directory& directory) const;
  void check_layout(const Directory& directory);
  std::vector<std::uint8_t> bytes_at(std::uint64_t offset, std::uint64_t size) const;

  int m_fd;
  ZipLimits m_limits;
  std::uint64_t m_size = 0;
  std::vector<ZipEntry> m_entries;
  std::vector<std::size_t> m_by_name;
};

}  // namespace liftlock
