#include "audit/audit_entry.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "audit/merkle.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  try {
    const auto entry = liftlock::entry_from_bytes(text, 0);
    if (liftlock::entry_to_bytes(entry.event, entry.time) != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  try {
    std::string again;
    for (const auto& entry : liftlock::parse_entry_bundle(text)) again += liftlock::frame_entry(entry);
    if (again != text) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
