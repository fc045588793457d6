// Any bytes as server-sent events, in one piece and cut in two: the events are the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "net/unix_client.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> whole, cut;
  try {
    liftlock::EventStream one(1 << 16), two(1 << 16);
    one.feed(text, [&](std::string_view event) { return whole.emplace_back(event), true; });
    two.feed(text.substr(0, size / 2), [&](std::string_view event) { return cut.emplace_back(event), true; });
    two.feed(text.substr(size / 2), [&](std::string_view event) { return cut.emplace_back(event), true; });
  } catch (const liftlock::Error&) {
    return 0;
  }
  if (whole != cut) std::abort();
  return 0;
}
