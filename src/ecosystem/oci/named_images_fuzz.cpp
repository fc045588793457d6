#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ecosystem/oci/named_images.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& reference : liftlock::oci::images_named_in(text)) {
    if (reference.repository.empty()) __builtin_trap();
  }
  return 0;
}
