#include "store/blob_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// Meant to stay in the cache of a core between read, hash and write. Block, ring and threshold were chosen by
/// reasoning: no quiet machine was at hand to compare them on (bench/store_bench.cpp is how).
constexpr std::size_t k_block = 256u << 10;
/// Below this a second thread should cost more than it brings.
constexpr std::uint64_t k_threaded_from = 4u << 20;
constexpr std::size_t k_ring = 16;
constexpr std::uint64_t k_write_back_every = 8u << 20;

std::span<const std::uint8_t> read_block(int in, std::span<std::uint8_t> buffer, std::uint64_t offset,
                                         std::uint64_t left, std::string_view what) {
  const auto block = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left)));
  if (!pread_exact(in, block, offset, what)) {
    fail(ErrorCode::size_mismatch, "'{}' ends before its expected size", printable(what));
  }
  return block;
}

Digest copy_on_this_thread(int in, std::uint64_t offset, int out, std::uint64_t size, std::string_view what,
                           const std::function<void(std::uint64_t)>& progress) {
  thread_local std::vector<std::uint8_t> buffer(k_block);
  Hasher hasher;
  for (auto left = size; left > 0;) {
    const auto block = read_block(in, buffer, offset, left, what);
    hasher.update(block);
    write_all(out, block, what);
    offset += block.size();
    left -= block.size();
    if (progress) progress(block.size());
  }
  return hasher.finish();
}

/// Blocks on their way from the thread that reads and hashes to the one that writes.
class Ring {
 public:
  Ring() : m_memory(k_ring * k_block) {}

  /// The next free block, once the writer has it back. @throws what the writer failed with
  std::span<std::uint8_t> next_free() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [&] { return m_filled - m_written < k_ring || m_failure; });
    if (m_failure) std::rethrow_exception(m_failure);
    return {m_memory.data() + (m_filled % k_ring) * k_block, k_block};
  }
  void filled(std::size_t size) {
    const std::lock_guard lock(m_mutex);
    m_sizes[m_filled % k_ring] = size;
    ++m_filled;
    m_changed.notify_all();
  }
  /// No block follows.
  void end() {
    const std::lock_guard lock(m_mutex);
    m_ended = true;
    m_changed.notify_all();
  }
  void rethrow_failure() {
    const std::lock_guard lock(m_mutex);
    if (m_failure) std::rethrow_exception(m_failure);
  }

  /// The writer's whole life.
  void write_out(int out, std::string_view what) {
    try {
      const auto position = ::lseek(out, 0, SEEK_CUR);
      std::uint64_t begun = position < 0 ? 0 : static_cast<std::uint64_t>(position);
      std::uint64_t end = begun;
      while (const auto block = next_filled()) {
        write_all(out, *block, what);
        end += block->size();
        // Only a hint: the commit's syncfs is what makes it durable, and reports errors.
        if (position >= 0 && end - begun >= k_write_back_every) {
          ::sync_file_range(out, static_cast<off_t>(begun), static_cast<off_t>(end - begun), SYNC_FILE_RANGE_WRITE);
          begun = end;
        }
        const std::lock_guard lock(m_mutex);
        ++m_written;
        m_changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(m_mutex);
      m_failure = std::current_exception();
      m_changed.notify_all();
    }
  }

 private:
  std::optional<std::span<const std::uint8_t>> next_filled() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [&] { return m_filled > m_written || m_ended; });
    if (m_filled == m_written) return std::nullopt;
    const auto at = m_written % k_ring;
    return std::span<const std::uint8_t>(m_memory.data() + at * k_block, m_sizes[at]);
  }

  std::vector<std::uint8_t> m_memory;
  std::array<std::size_t, k_ring> m_sizes{};
  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::uint64_t m_filled = 0;
  std::uint64_t m_written = 0;
  bool m_ended = false;
  std::exception_ptr m_failure;
};

Digest copy_with_writer(int in, std::uint64_t offset, int out, std::uint64_t size, std::string_view what,
                        const std::function<void(std::uint64_t)>& progress) {
  ::posix_fadvise(in, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_SEQUENTIAL);
  Ring ring;
  Hasher hasher;
  {
    // The writer ends with this scope, also when reading throws.
    const std::jthread writer([&] { ring.write_out(out, what); });
    struct End {
      Ring& ring;
      ~End() { ring.end(); }
    } const end{ring};
    for (auto left = size; left > 0;) {
      const auto block = read_block(in, ring.next_free(), offset, left, what);
      hasher.update(block);
      ring.filled(block.size());
      offset += block.size();
      left -= block.size();
      if (progress) progress(block.size());
    }
  }
  ring.rethrow_failure();
  return hasher.finish();
}

}  // namespace

Digest copy_hashed(int in, std::uint64_t in_offset, int out, std::uint64_t size, std::string_view what,
                   const std::function<void(std::uint64_t)>& progress) {
  if (size < k_threaded_from) return copy_on_this_thread(in, in_offset, out, size, what, progress);
  return copy_with_writer(in, in_offset, out, size, what, progress);
}

}  // namespace liftlock
