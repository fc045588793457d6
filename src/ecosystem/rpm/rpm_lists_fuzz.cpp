// Arbitrary JSON as what an inspection said of a package in the lists: it is taken whole, as to_facts() gives it, or
// not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/rpm/repository_index.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto package = rpm::indexed_package_from_facts(parse_json(as_text({data, size})));
    if (!package) return 0;
    if (rpm::indexed_package_from_facts(rpm::to_facts(*package))->primary != package->primary) std::abort();
    (void)rpm::make_repository_index({&*package}, {});
  } catch (const Error&) {
  }
  return 0;
}
