// Whatever stands in a path: no crash, and names that are none of a repository reach nobody.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "ecosystem/hub/hub_path.hpp"
#include "ecosystem/hub/repository.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto& request : liftlock::hub::read_hub_path(liftlock::as_text({data, size}))) {
    if (request.asks != liftlock::hub::Asks::list && !liftlock::hub::is_repository(request.repository)) std::abort();
  }
  return 0;
}
