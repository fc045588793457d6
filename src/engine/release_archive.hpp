// Reads an engine as its makers publish it: a tar (plain, gzip, xz, zstd) or a zip, through libarchive and within
// bounds.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "ecosystem/apt/deb_reader.hpp"

namespace liftlock::engine {

struct ReleaseLimits {
  std::size_t max_entries = 100'000;
  std::uint64_t max_unpacked = 16ull << 30;   ///< bytes of all files
  std::uint64_t free_unpacked = 64ull << 20;  ///< up to here the ratio is not looked at
  std::uint64_t max_ratio = 400;              ///< unpacked : packed, beyond free_unpacked
};

/// Entry by entry; not shared between threads.
class ReleaseArchive {
 public:
  /// @param fd a regular file; stays open as long as this object; its offset is not used
  /// @param what its name, for messages
  /// @throws Error{engine_malformed}
  ReleaseArchive(int fd, std::string what, ReleaseLimits limits = {});
  ~ReleaseArchive();
  ReleaseArchive(const ReleaseArchive&) = delete;
  ReleaseArchive& operator=(const ReleaseArchive&) = delete;

  /// @throws Error{engine_malformed, limit_exceeded}
  bool next(apt::DebEntry& entry);
  /// Bytes of the current entry; 0 at its end.
  std::size_t read(std::span<std::uint8_t> buffer);

 private:
  struct Source;
  struct Free {
    void operator()(archive* handle) const;
  };
  [[noreturn]] void malformed(std::string_view why) const;
  std::string m_what;
  ReleaseLimits m_limits;
  std::unique_ptr<Source> m_source;
  std::unique_ptr<archive, Free> m_archive;
  std::size_t m_entries = 0;
  std::uint64_t m_unpacked = 0;
};

}  // namespace liftlock::engine
