// Arbitrary bytes as debian/copyright: nothing may come out but a short text.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "ecosystem/apt/copyright.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (liftlock::apt::copyright_licenses(liftlock::as_text({data, size})).size() > 1000) std::abort();
  return 0;
}
