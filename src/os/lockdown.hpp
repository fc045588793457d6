// What takes rights away from the calling process, for good. Layers that the kernel lacks are skipped and reported;
// the seccomp filter is not optional.
#pragma once

#include <linux/filter.h>

#include <cstdint>
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
  left_to_a_watch,    ///< nothing here: deadly_call_filter() is in force besides
};
UniqueFd engine_seccomp_program(DeadlyCallRule rule);

/// Has a listener notified of each call that no engine makes (os/deadly_calls.hpp), and lets all others pass.
/// @throws Error{sandbox_unavailable}
std::vector<sock_filter> deadly_call_filter();

}  // namespace liftlock
