// Arbitrary bytes as a POM: nothing but Error may come out, and what is read is the same after a crossing as JSON.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/maven/pom.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto pom = maven::parse_pom(as_text({data, size}));
    const auto json = maven::to_json(pom);
    if (maven::to_json(maven::pom_from_json(json)) != json) std::abort();
    maven::require_coordinates(pom, "example.test:demo", "1.0");
  } catch (const Error&) {
  }
  return 0;
}
