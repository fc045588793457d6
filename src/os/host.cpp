#include "os/host.hpp"

#include <unistd.h>

#include "base/rel_path.hpp"

namespace liftlock {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? portable_component(name) : "unknown";
}

}  // namespace liftlock
