#include "os/host.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>

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

bool is_linux_at_least(int major, int minor) {
  utsname name{};
  int found_major = 0, found_minor = 0;
  return ::uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &found_major, &found_minor) == 2 &&
         (found_major > major || (found_major == major && found_minor >= minor));
}

}  // namespace liftlock
