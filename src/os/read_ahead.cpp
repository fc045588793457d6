#include "os/read_ahead.hpp"

#include <fcntl.h>

namespace liftlock {

void read_ahead(int fd, std::uint64_t size, const std::stop_token& stop) {
  constexpr std::uint64_t k_step =
      128u << 10;  // the kernel takes no more of one advice than a device's largest request
  for (std::uint64_t at = 0; at < size && !stop.stop_requested(); at += k_step)
    ::posix_fadvise(fd, static_cast<off_t>(at), k_step, POSIX_FADV_WILLNEED);
}

}  // namespace liftlock
