#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "intake/baiengine.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    (void)liftlock::parse_baiengine_manifest({reinterpret_cast<const char*>(data), size});
  } catch (const liftlock::Error&) {
  }
  return 0;
}
