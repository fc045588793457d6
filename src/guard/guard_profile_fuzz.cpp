// parse_guard_profile: a profile has at least one type, or is an Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "guard/guard_profile.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto profile = liftlock::parse_guard_profile(liftlock::as_text({data, size}));
    if (profile.types.empty() || profile.name.empty() || profile.name_characters.none()) std::abort();
    if (profile.unpack && (profile.unpack->types.empty() || profile.unpack->max_nesting > 16)) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
