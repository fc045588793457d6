// What a witness answered, and its verifier key: both come from another machine.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "witness/cosignature.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  try {
    const auto note = liftlock::parse_answer(text, "log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    for (const auto& signature : note.signatures) {
      // Of a key that nobody has: whatever it says, nobody was met.
      if (liftlock::cosigned_at(note, {.name = signature.name, .key = {1}})) std::abort();
    }
  } catch (const liftlock::Error&) {
  }
  try {
    if (liftlock::CosignerKey::parse(text).text() != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
