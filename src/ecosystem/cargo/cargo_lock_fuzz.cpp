// Cargo.lock.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "ecosystem/cargo/crate_name.hpp"
#include "ecosystem/cargo/lock_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto lock = cargo::parse_lock_file(as_text({data, size}));
    for (const auto& package : lock.packages) {
      if (!cargo::is_crate_name(package.name) || !cargo::is_crate_version(package.version)) std::abort();
      if (package.is_of_registry() && !package.checksum) std::abort();
      for (const auto index : package.dependencies) {
        if (index >= lock.packages.size()) std::abort();
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
