#include <cstddef>
#include <cstdint>
#include <string_view>

#include "advisory/affected.hpp"
#include "advisory/osv.hpp"
#include "base/error.hpp"

// The record, and its judgement of a few versions.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace liftlock;
  try {
    const auto record = advisory::parse_osv({reinterpret_cast<const char*>(data), size});
    for (const auto& package : record.affected) {
      for (const auto* ecosystem : {"PyPI", "npm", "Debian", "Maven", "SUSE"}) {
        for (const auto* version : {"1.0", "2.0.0-rc.1", "", "v3"}) {
          advisory::judge(package, {ecosystem, {}, package.name, version});
        }
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
