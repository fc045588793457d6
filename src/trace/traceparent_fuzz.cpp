#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "trace/traceparent.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parent = liftlock::parse_traceparent(text);
  if (parent && parent->trace == decltype(parent->trace){}) std::abort();
  return 0;
}
