#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/encoding.hpp"
#include "offline/http_counter.hpp"

// The first byte of each piece says which side sent how much.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  std::size_t answers = 0;
  offline::HttpCounter counter([&](std::string_view, int) { ++answers; });
  auto rest = as_text({data, size});
  while (!rest.empty()) {
    const auto first = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    const auto piece = rest.substr(0, first >> 1);
    rest.remove_prefix(piece.size());
    if ((first & 1) != 0) {
      counter.client_sent(piece);
    } else {
      counter.server_sent(piece);
    }
  }
  if (answers > size) __builtin_trap();
  return 0;
}
