// A file in memory alone (memfd) that takes bytes once and is then sealed: nobody can write, shrink or grow it any
// more, root's processes included; the kernel refuses (memfd_create(2), fcntl(2) F_ADD_SEALS).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "os/fd.hpp"

namespace liftlock {

class SealedMemory {
 public:
  /// @param name for /proc/PID/maps
  /// @param size bytes; takes no memory before they are written
  /// @throws Error{io_error}
  SealedMemory(const std::string& name, std::uint64_t size);

  /// Any thread. @throws Error{memory_limit} when the machine has no more
  void write(std::uint64_t offset, std::span<const std::uint8_t> bytes);
  /// A descriptor to read it by, at any time before seal(); programs that inherit it may open /proc/self/fd/N anew, to
  /// read. @throws Error{io_error}
  UniqueFd reader() const;
  /// Once, after all was written. @throws Error{io_error} when the kernel does not seal it
  void seal();

 private:
  std::string m_name;
  UniqueFd m_fd;
};

/// Can nobody change what this descriptor leads to?
bool is_sealed(int fd);

/// Bytes that can still be used without swapping (MemAvailable of /proc/meminfo, and what the control group of this
/// process leaves).
std::uint64_t available_memory();

}  // namespace liftlock
