// Manifests and configs: whatever is accepted must say the same again when its descriptors are written and read.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "ecosystem/oci/manifest.hpp"

using namespace liftlock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto parsed = oci::parse_manifest(text);
    const auto& list = std::holds_alternative<oci::Index>(parsed) ? std::get<oci::Index>(parsed).manifests
                                                                  : std::get<oci::Manifest>(parsed).layers;
    for (const auto& descriptor : list) {
      if (oci::parse_descriptor(oci::descriptor_json(descriptor), "again") != descriptor) std::abort();
    }
  } catch (const Error&) {
  }
  try {
    oci::parse_image_config(text);
  } catch (const Error&) {
  }
  return 0;
}
