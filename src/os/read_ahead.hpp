// Bytes of files that will be needed soon, asked of the disk before.
#pragma once

#include <cstdint>
#include <stop_token>

namespace liftlock {

/// Has the kernel read the first `size` bytes of an open file into the page cache. Best effort: what fails is read when
/// it is needed. Blocks as long as the disk's queue is full; for a thread of its own.
/// @param stop asked in between
void read_ahead(int fd, std::uint64_t size, const std::stop_token& stop);

}  // namespace liftlock
