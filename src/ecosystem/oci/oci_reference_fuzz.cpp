// References, sources and platforms: whatever is accepted must be written as it was read.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "ecosystem/oci/reference.hpp"

using namespace liftlock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto reference = oci::parse_reference(text);
    if (reference.text() != text || !oci::is_repository(reference.repository)) std::abort();
  } catch (const Error&) {
  }
  try {
    oci::parse_source(text);
  } catch (const Error&) {
  }
  try {
    if (oci::parse_platform(text).text() != text) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
