// WitnessRequest: what a node carries to its witness ends in a request, which written again is the same, or in an
// Error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "witness/request.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = liftlock::as_text({data, size});
  try {
    const auto request = liftlock::WitnessRequest::parse(text);
    if (request.text() != text) std::abort();
    liftlock::is_continuation(request.old_size, {}, request.checkpoint.size, request.checkpoint.root, request.path);
  } catch (const liftlock::Error&) {
  }
  return 0;
}
