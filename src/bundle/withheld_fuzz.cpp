// parse_withheld: what lies beside a bundle ends in a statement, which written again is the same, or in an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/withheld.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto text = liftlock::write_withheld(liftlock::parse_withheld(liftlock::as_text({data, size})));
    if (liftlock::write_withheld(liftlock::parse_withheld(text)) != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
