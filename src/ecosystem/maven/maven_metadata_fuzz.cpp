#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "ecosystem/maven/metadata.hpp"

/// What it takes, it reads back with the version that was added.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto before = maven::versions_of(text);
    const auto after = maven::with_version(text, "9.9.9", "20260102030405");
    if (after && maven::versions_of(*after).size() != before.size() + 1) std::abort();
    if (after && maven::with_version(*after, "9.9.9", "20260102030405")) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
