// WWW-Authenticate values, as a registry may send them.
#include <cstdint>
#include <cstdlib>

#include "ecosystem/oci/www_authenticate.hpp"

using namespace liftlock;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto challenges = oci::parse_www_authenticate({reinterpret_cast<const char*>(data), size});
  if (challenges.size() > 16) std::abort();
  for (const auto& challenge : challenges) {
    if (challenge.scheme.empty() || challenge.params.size() > 16) std::abort();
    for (const auto& [name, value] : challenge.params) {
      if (value.find('\n') != std::string::npos || value.find('\r') != std::string::npos) std::abort();
    }
  }
  return 0;
}
