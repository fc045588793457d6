// Any bytes as Range, If-None-Match and If-Range: a part lies within the file, always.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/byte_range.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t total : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, UINT64_MAX}) {
    const auto range = liftlock::parse_range(text, total);
    if (range.kind != liftlock::ByteRange::Kind::part) continue;
    if (range.size == 0 || range.offset >= total || range.size > total - range.offset) std::abort();
  }
  liftlock::matches_none_match(text, "\"abc\"");
  liftlock::matches_if_range(text, "\"abc\"");
  return 0;
}
