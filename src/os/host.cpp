#include "os/host.hpp"

#include <unistd.h>

#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? portable_component(name) : "unknown";
}

std::string boot_id() {
  return std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 4096)));
}

}  // namespace liftlock
