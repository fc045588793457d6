// Arbitrary bytes as package.json: nothing but Error may come out, and what comes out is sound.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/npm/package_json.hpp"
#include "ecosystem/npm/package_name.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto package = npm::parse_package_json(as_text({data, size}));
    if (!npm::is_package_name(package.name) || !npm::Version::parse(package.version)) std::abort();
    if (parse_json(dump_json_line(package.manifest), {.max_bytes = 2u << 20, .max_depth = 200}) != package.manifest) {
      std::abort();
    }
  } catch (const Error&) {
  }
  return 0;
}
