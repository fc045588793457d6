#include "cli/ecosystems_high.hpp"

namespace liftlock {

std::vector<MakeRoute> mirror_routes() {
  return {};
}

}  // namespace liftlock
