// The file digest of fs-verity (Linux, Documentation/filesystems/fsverity.rst): SHA-256 over a Merkle tree of blocks of
// 4,096 bytes, no salt. `fsverity digest FILE` prints the same. Unlike a plain SHA-256 it can be computed on all cores.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock {

/// The tree of one file while its pieces are hashed, in any order and on several threads.
class VerityTree {
 public:
  static constexpr std::size_t k_piece = 128 * 4096;  ///< what one block of hashes covers

  explicit VerityTree(std::uint64_t size);

  std::size_t pieces() const { return m_hashes.size(); }
  /// Where the piece begins, and how many bytes it has.
  std::uint64_t begin(std::size_t piece) const { return piece * std::uint64_t{k_piece}; }
  std::size_t length(std::size_t piece) const;
  /// Each piece once; any thread. @param bytes length(piece) of them
  void add(std::size_t piece, std::span<const std::uint8_t> bytes);
  /// After all pieces were added.
  Digest digest() const;

 private:
  using Hash = std::array<std::uint8_t, 32>;
  std::uint64_t m_size;
  std::vector<Hash> m_hashes;  ///< of each piece's block of hashes; of the data, where there is one block of it only
};

struct FileDigests {
  Digest sha256;
  Digest verity;
};
/// Both of the first `size` bytes of an open file, which are read once: each block is hashed for the one and for the
/// other at the same time, on two threads. @param progress (may be empty) is told of bytes as they are done
/// @param copy (may be empty) is given the very bytes that are hashed, with their offset, before they are
/// @throws Error{size_mismatch} when the file ends before; what progress and copy throw
FileDigests digests_of_file(int fd, std::uint64_t size, std::string_view what,
                            const std::function<void(std::uint64_t)>& progress,
                            const std::function<void(std::uint64_t, std::span<const std::uint8_t>)>& copy = {});

}  // namespace liftlock
