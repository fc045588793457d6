#include "ecosystem/maven/jar.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock::maven {
namespace {

// PKWARE APPNOTE 4.3.16: the end of the directory, and a comment of at most 64 KiB behind it.
constexpr std::string_view k_end_mark = "PK\x05\x06", k_entry_mark = "PK\x01\x02";
constexpr std::size_t k_end_size = 22, k_max_comment = 0xffff;
constexpr std::uint32_t k_in_zip64 = 0xffffffff;

std::uint32_t number(std::span<const std::uint8_t> bytes, std::size_t at, int size) {
  std::uint32_t out = 0;
  for (int i = size - 1; i >= 0; --i) out = out << 8 | bytes[at + static_cast<std::size_t>(i)];
  return out;
}

[[noreturn]] void no_zip(std::string_view why) {
  fail(ErrorCode::package_malformed, "it is no zip: {}", why);
}

}  // namespace

void require_jar(int fd) {
  const auto size = regular_size(fd, "a jar");
  if (size < k_end_size) no_zip("it is too short");
  std::vector<std::uint8_t> tail(static_cast<std::size_t>(std::min<std::uint64_t>(size, k_end_size + k_max_comment)));
  if (!pread_exact(fd, tail, size - tail.size(), "a jar")) no_zip("it became shorter");
  for (auto at = tail.size() - k_end_size;; --at) {
    const auto comment = tail.size() - at - k_end_size;
    if (as_text(std::span(tail).subspan(at, 4)) == k_end_mark && number(tail, at + 20, 2) == comment) {
      const auto end = size - tail.size() + at;
      const auto entries = number(tail, at + 10, 2);
      const std::uint64_t length = number(tail, at + 12, 4);
      if (entries == 0 && length == 0) return;
      if (length == k_in_zip64 || entries == 0xffff || number(tail, at + 16, 4) == k_in_zip64) return;
      std::array<std::uint8_t, 4> mark{};
      // The directory ends where this record begins, whatever stands before the first entry.
      if (length > end || !pread_exact(fd, mark, end - length, "a jar") || as_text(mark) != k_entry_mark)
        no_zip("its directory is not where its end says");
      return;
    }
    if (at == 0) break;
  }
  no_zip("it has no directory at its end");
}

}  // namespace liftlock::maven
