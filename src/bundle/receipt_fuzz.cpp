// parse_receipt: what comes back over the gap ends in an answer, which written again is the same, or in an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/receipt.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto text = liftlock::write_receipt(liftlock::parse_receipt(liftlock::as_text({data, size})));
    if (liftlock::write_receipt(liftlock::parse_receipt(text)) != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
