// parse_files_list: whatever stands in a bundle's front ends in an answer or an Error.
#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    liftlock::parse_files_list(liftlock::as_text({data, size}));
  } catch (const liftlock::Error&) {
  }
  return 0;
}
