// What takes rights away from the calling process, for good. Layers that the kernel lacks are skipped and reported;
// the seccomp filter is not optional.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "os/fd.hpp"

namespace liftlock {

/// For processes that only parse: see os/cell.hpp. Returns the layers that are in force ("user": root became nobody;
/// "namespaces", "landlock", "seccomp"); no capability is left in any case.
/// @throws Error{sandbox_unavailable} when root cannot become nobody, or not even the seccomp filter can be loaded
std::vector<std::string> lock_down_cell();

/// For each request inside a cell, on top of lock_down_cell(): no process can be made, signalled or limited, and no
/// socket used, any more. The filter is made once, for making it takes longer than reading a small file.
class RequestLockdown {
 public:
  /// Before lock_down_cell(), for it needs a file in memory. @throws Error{sandbox_unavailable}
  RequestLockdown();
  /// In the process of the request. @throws Error{sandbox_unavailable}
  void apply() const;

 private:
  std::vector<sock_filter> m_program;
};

/// A seccomp program for engines, as bubblewrap's --seccomp wants it: everything that a server of models needs is
/// allowed, and what opens the kernel (mount, ptrace, bpf, io_uring, keys, modules, new namespaces, other address
/// families than Unix and the loopback's) or holds memory that is not counted (files in memory, shared memory without a
/// file, message queues) is refused with EPERM. Of what no engine calls (mount, ptrace, bpf, setns, modules, kexec) the
/// rule says what becomes. The descriptor is at offset 0.
enum class DeadlyCallRule : std::uint8_t {
  end_their_process,  ///< by SIGSYS
  left_to_a_watch,    ///< nothing here of those that deadly_call_filter() has, which is in force besides
};
UniqueFd engine_seccomp_program(DeadlyCallRule rule);

/// Of the calls that no engine makes, those that a listener can be notified of: all; or, where a filter is in force for
/// us already (a service's, a container's), those that bubblewrap makes and that it therefore lets pass. What it
/// refuses is refused before anybody is notified, and only an end by the kernel comes before that: seccomp(2), on
/// precedence.
std::span<const char* const> watchable_calls();

/// Has a listener notified of each of them (os/deadly_calls.hpp), and lets all others pass.
/// @throws Error{sandbox_unavailable}
std::vector<sock_filter> deadly_call_filter();

}  // namespace liftlock
