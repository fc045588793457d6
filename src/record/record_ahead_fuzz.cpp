#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "record/ahead_file.hpp"

// The frames' hashes would stop the fuzzer at the first byte: it gives payloads (each after two bytes of length, whose
// first bit begins the second half), and the frames are made here.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  using namespace liftlock::record;
  constexpr std::size_t k_half = 64u << 10;
  auto rest = as_text({data, size});
  std::string bytes;
  while (rest.size() >= 2 && bytes.size() < 2 * k_half) {
    const auto length = static_cast<std::uint8_t>(rest[0]) << 8 | static_cast<std::uint8_t>(rest[1]);
    if ((length & 0x8000) != 0 && bytes.size() < k_half) bytes.resize(k_half, '\0');
    const auto payload = rest.substr(2, static_cast<std::size_t>(length & 0x7FFF));
    rest.remove_prefix(2 + payload.size());
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift & 0xFF);
    bytes += as_text(sha256(payload).bytes());
    bytes += payload;
    bytes.resize((bytes.size() + AheadGroup::k_block - 1) / AheadGroup::k_block * AheadGroup::k_block, '\0');
  }
  bytes += rest;
  try {
    const auto groups = ahead_groups(bytes, k_half);
    for (const auto& group : groups) {
      const auto again = ahead_groups(group.bytes());
      if (again.size() != 1 || again[0].number != group.number || again[0].entries != group.entries ||
          again[0].parts.size() != group.parts.size()) {
        std::abort();
      }
    }
    for (const auto& group : unsettled_groups(groups)) {
      if (group.number <= groups.back().settled) std::abort();
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::internal) std::abort();
  }
  return 0;
}
