// The seccomp program of commands that are cut off.
#pragma once

#include <cstdint>
#include <vector>

#include <linux/filter.h>

namespace liftlock::offline {

/// Notified: connect; sendto with an address; sendmsg; sendmmsg; socket of the families that are the same in all
/// network namespaces (AF_VSOCK: a way to the host of a virtual machine). Refused: io_uring, which would pass by all of
/// these, with ENOSYS, as in a kernel without it; other families than Unix, IP, netlink, packet and crypto. System
/// calls of other architectures (32 bits) do not exist. @throws Error{sandbox_unavailable}
std::vector<sock_filter> call_filter();

}  // namespace liftlock::offline
