#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/fake_collector.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const liftlock::FakeCollector k_collector;
  static const std::array<const liftlock::Collector*, 1> k_collectors = {&k_collector};
  try {
    const auto stack = liftlock::parse_stack(liftlock::as_text({data, size}), "/nonexistent", k_collectors);
    if (!liftlock::why_not_stack_name(stack.name).empty()) std::abort();
  } catch (const liftlock::Error&) {
  }
  return 0;
}
