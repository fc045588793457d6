#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/sha256sums.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto listed = parse_sha256sums(as_text({data, size}), {.max_bytes = 1u << 20, .max_lines = 1000});
    std::string again;
    for (const auto& entry : listed) again += sha256sums_line(entry.digest, entry.path);
    // A path that begins with '#' or ends in CR cannot occur here: both forms carry the digest in front.
    if (parse_sha256sums(again) != listed) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
