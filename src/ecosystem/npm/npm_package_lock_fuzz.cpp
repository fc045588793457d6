// Arbitrary bytes as package-lock.json: nothing but Error may come out, and names are names.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/npm/package_lock.hpp"
#include "ecosystem/npm/package_name.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto lock = npm::parse_package_lock(as_text({data, size}), "package-lock.json");
    for (const auto& package : lock.packages) {
      if (!npm::is_package_name(package.name) || !npm::Version::parse(package.version)) std::abort();
      for (const auto need : package.needs) {
        if (need >= lock.packages.size()) std::abort();
      }
      npm::is_for(package, {"linux", "x64"});
    }
  } catch (const Error&) {
  }
  return 0;
}
