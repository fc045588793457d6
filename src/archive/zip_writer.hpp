// Writes zip archives that hold their entries as they are (method STORE), the same bytes for the same entries: no
// times, no owners, zip64 records exactly where a size or an offset needs them. Source: PKWARE APPNOTE 6.3.10.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock {

class ZipWriter {
 public:
  /// @param fd an empty regular file, written from its start; must outlive the writer
  explicit ZipWriter(int fd);

  /// Small content in one call. @param name a relative path of printable ASCII, each name once
  void add(std::string_view name, std::string_view content);
  /// Copies `size` bytes from the start of `in`, in blocks of 1 MiB, and returns their SHA-256.
  /// @param progress is told of bytes as they are done; may be empty
  /// @throws Error{size_mismatch} when `in` ends before; the archive is then of no use
  Digest add(std::string_view name, int in, std::uint64_t size, const std::function<void(std::uint64_t)>& progress);
  /// The directory and the end records. Nothing may be added afterwards.
  void finish();
  /// How large an archive of these entries becomes.
  static std::uint64_t archive_size(const std::vector<std::pair<std::string, std::uint64_t>>& names_and_sizes);

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;
    std::uint32_t crc = 0;
  };
  void begin(std::string_view name, std::uint64_t size);
  void write(std::string_view bytes);
  static std::string local_header(const Entry& entry);
  static std::string central_header(const Entry& entry);
  static std::string end_records(std::uint64_t count, std::uint64_t size, std::uint64_t offset);

  int m_fd;
  std::uint64_t m_at = 0;
  std::vector<Entry> m_entries;
};

}  // namespace liftlock
