// fs-verity of the kernel: a file that nobody can write any more, and of which each page is compared with a Merkle tree
// whenever it is read from the disk. It can be renamed and removed as before. What the tree is, and its digest, is in
// crypto/verity.hpp. Source: Linux, Documentation/filesystems/fsverity.rst; <linux/fsverity.h>.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/digest.hpp"

namespace liftlock {

/// What became of an enable().
enum class VerityOutcome : std::uint8_t {
  kept,     ///< the kernel keeps the file, from now on or since before
  refused,  ///< and would be again: by kernel, file system, rights, room on the disk, or who writes the file
  busy,     ///< not now: another enable() of this file is at work, or a signal came
};

/// The two calls of it, any thread. They are members so that tests can put a double in the place of a kernel: few
/// machines have one that does this, with a file system that does. A double proves our half only.
struct VerityCalls {
  /// Has the kernel keep a file from now on, as crypto/verity.hpp computes it: SHA-256, blocks of 4,096 bytes, no salt.
  /// The descriptor is for reading, and nobody may have one for writing. The kernel reads all of the file, on one core,
  /// and drops it from the page cache. Where it cannot, or may not, only the file's ctime may have moved.
  std::function<VerityOutcome(int fd)> enable;
  /// The digest of the tree by which the kernel keeps the very file of this descriptor; nullopt where it does not, or
  /// by another algorithm. It says what the kernel will let through, and nothing of whether that is right.
  std::function<std::optional<Digest>(int fd)> measure;
};

/// The files that an enable() was refused for, so that none is tried, and its ctime moved, at each load. Any thread.
class VerityRefusals {
 public:
  bool contains(int fd) const;
  void add(int fd);

 private:
  mutable std::mutex m_mutex;
  std::set<std::pair<dev_t, ino_t>> m_files;
};

/// Of the kernel that runs.
VerityCalls kernel_verity();

}  // namespace liftlock
