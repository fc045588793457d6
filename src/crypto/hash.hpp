// Streaming hashes over OpenSSL's EVP; one object per stream, not shared between threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "base/digest.hpp"

struct evp_md_ctx_st;

namespace liftlock {

class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm = DigestAlgorithm::sha256);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(std::span<const std::uint8_t> bytes);
  void update(std::string_view text);
  /// The digest of what was fed since construction or the last finish(); the object is fresh again afterwards.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  void start();
  DigestAlgorithm m_algorithm;
  std::unique_ptr<evp_md_ctx_st, Free> m_context;
};

Digest sha256(std::span<const std::uint8_t> bytes);
Digest sha256(std::string_view text);
/// Hashes an open file from its start to its end, without moving its offset. Read errors are Error{io_error}.
Digest sha256_of_file(int fd, std::string_view what);
/// Hashes `size` bytes at `offset`; progress (may be empty) is told of bytes as they are done. Memory: one block per
/// thread. @throws Error{size_mismatch} when the file ends before
Digest sha256_of_range(int fd, std::uint64_t offset, std::uint64_t size, std::string_view what,
                       const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
