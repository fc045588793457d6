#include <cstddef>
#include <cstdint>

#include "base/encoding.hpp"
#include "dockerfile/build_log.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  for (const auto& step : dockerfile::parse_build_log(as_text({data, size}))) {
    if (step.name.empty() || !(step.seconds >= 0)) __builtin_trap();
  }
  return 0;
}
