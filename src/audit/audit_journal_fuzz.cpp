#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "audit/journal.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

// The frames' hashes would stop the fuzzer at the first byte: it gives payloads (each after two bytes of length), and
// the frames are made here.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = liftlock::as_text({data, size});
  std::string journal;
  while (rest.size() >= 2) {
    const auto length =
        static_cast<std::size_t>(static_cast<std::uint8_t>(rest[0]) << 8 | static_cast<std::uint8_t>(rest[1]));
    const auto payload = rest.substr(2, length);
    rest.remove_prefix(2 + payload.size());
    for (int shift = 24; shift >= 0; shift -= 8) journal += static_cast<char>(payload.size() >> shift & 0xFF);
    journal += liftlock::as_text(liftlock::sha256(payload).bytes());
    journal += payload;
  }
  journal += rest;
  try {
    const auto state = liftlock::parse_journal(journal);
    const auto end = state.whole_bytes + state.torn_bytes;
    if (journal.find_first_not_of('\0', end) != std::string::npos) std::abort();
    if (state.size() != state.base + state.tail.size()) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
