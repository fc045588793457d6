#include "intake/whole_copy.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_block = 256u << 10;
constexpr std::size_t k_blocks = 16;
constexpr std::uint64_t k_write_back_every = 8u << 20;
constexpr std::uint64_t k_edge = 1u << 20;  ///< of a part: who recognises a file looks at its ends

struct Block {
  std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(k_block);
  std::size_t size = 0;
  std::span<const std::uint8_t> bytes() const { return std::span(memory).first(size); }
};

/// From the thread that reads to the one that puts in place, and back.
class Belt {
 public:
  Belt() : m_free(k_blocks) {}

  /// @throws what the other thread failed with
  Block empty_block() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [&] { return !m_free.empty() || m_failure; });
    if (m_failure) std::rethrow_exception(m_failure);
    auto block = std::move(m_free.back());
    m_free.pop_back();
    return block;
  }
  void send(Block block) {
    const std::lock_guard lock(m_mutex);
    m_full.push_back(std::move(block));
    m_changed.notify_all();
  }
  void end() {
    const std::lock_guard lock(m_mutex);
    m_ended = true;
    m_changed.notify_all();
  }
  void rethrow_failure() {
    const std::lock_guard lock(m_mutex);
    if (m_failure) std::rethrow_exception(m_failure);
  }

  /// The other thread's whole life.
  void run(const std::function<void(std::span<const std::uint8_t>)>& place) {
    try {
      while (auto block = next()) {
        place(block->bytes());
        const std::lock_guard lock(m_mutex);
        m_free.push_back(std::move(*block));
        m_changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(m_mutex);
      m_failure = std::current_exception();
      m_changed.notify_all();
    }
  }

 private:
  std::optional<Block> next() {
    std::unique_lock lock(m_mutex);
    m_changed.wait(lock, [&] { return !m_full.empty() || m_ended; });
    if (m_full.empty()) return std::nullopt;
    auto block = std::move(m_full.front());
    m_full.pop_front();
    return block;
  }

  std::mutex m_mutex;
  std::condition_variable m_changed;
  std::vector<Block> m_free;
  std::deque<Block> m_full;
  bool m_ended = false;
  std::exception_ptr m_failure;
};

/// Puts the bytes of the source, as they come, where they belong.
class Places {
 public:
  Places(int copy, const std::vector<WholePart>& parts, StagedBlobs& staged)
      : m_copy(copy), m_parts(parts), m_staged(staged) {}

  void put(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      const auto* part = m_next < m_parts.size() ? &m_parts[m_next] : nullptr;
      const bool within = part != nullptr && m_at >= part->offset;
      const auto end = part == nullptr ? UINT64_MAX : within ? part->offset + part->size : part->offset;
      const auto some = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), end - m_at)));
      if (within) {
        put_part(*part, some);
      } else {
        put_copy(some, m_at);
      }
      m_at += some.size();
      bytes = bytes.subspan(some.size());
      if (within && m_at == end) end_part(*part);
    }
  }
  /// A part that never ended is a hole that nobody knows of: the file is not the one that named it.
  std::vector<WholeCopy::Taken> take(const std::string& shown) {
    if (m_next < m_parts.size()) fail(ErrorCode::size_mismatch, "'{}' was longer when it was looked at first", shown);
    return std::move(m_taken);
  }

 private:
  std::string name() const { return fmt::format("whole-{}", m_next); }

  void put_part(const WholePart& part, std::span<const std::uint8_t> bytes) {
    if (!m_out.valid()) {
      m_out = m_staged.create_named(name());
      m_begun = m_written = 0;
    }
    m_hasher.update(bytes);
    write_all(m_out.get(), bytes, "a staged file");
    m_written += bytes.size();
    // As copy_hashed() does it: the commit's sync finds little left to do.
    if (m_written - m_begun >= k_write_back_every) {
      ::sync_file_range(m_out.get(), static_cast<off_t>(m_begun), static_cast<off_t>(m_written - m_begun),
                        SYNC_FILE_RANGE_WRITE);
      m_begun = m_written;
    }
    const auto from = m_at - part.offset;
    if (from < k_edge || from + bytes.size() + k_edge > part.size) put_copy(bytes, m_at);
  }

  void end_part(const WholePart& part) {
    const auto digest = m_hasher.finish();
    m_staged.seal_named(name(), digest);
    m_out.reset();
    m_taken.push_back({part, digest});
    ++m_next;
  }

  void put_copy(std::span<const std::uint8_t> bytes, std::uint64_t offset) const {
    while (!bytes.empty()) {
      const auto put = ::pwrite(m_copy, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) fail_errno("write a private copy");
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
  }

  int m_copy;
  const std::vector<WholePart>& m_parts;
  StagedBlobs& m_staged;
  std::uint64_t m_at = 0;
  std::size_t m_next = 0;
  UniqueFd m_out;
  Hasher m_hasher;
  std::uint64_t m_begun = 0, m_written = 0;
  std::vector<WholeCopy::Taken> m_taken;
};

}  // namespace

std::optional<Digest> WholeCopy::digest_of(std::uint64_t offset, std::uint64_t size) const {
  for (const auto& [part, its_digest] : taken) {
    if (part.offset == offset && part.size == size) return its_digest;
    if (offset < part.offset + part.size && part.offset < offset + size)
      fail(ErrorCode::digest_mismatch, "the file said otherwise where its content lies when it was looked at first");
  }
  return std::nullopt;
}

WholeCopy copy_whole(const fs::path& source, const fs::path& folder, const std::vector<WholePart>& parts,
                     StagedBlobs& staged, const std::function<void(std::uint64_t)>& progress) {
  const auto shown = printable(source.string());
  const auto in = open_file(source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const auto size = regular_size(in.get(), shown);
  UniqueFd copy(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!copy.valid()) fail_errno("a file in " + folder.string());
  ::posix_fadvise(in.get(), 0, static_cast<off_t>(size), POSIX_FADV_SEQUENTIAL);
  Belt belt;
  Places places(copy.get(), parts, staged);
  Hasher hasher;
  {
    // It ends with this scope, also when reading throws.
    const std::jthread other([&] { belt.run([&](std::span<const std::uint8_t> bytes) { places.put(bytes); }); });
    struct End {
      Belt& belt;
      ~End() { belt.end(); }
    } const end{belt};
    for (std::uint64_t done = 0; done < size;) {
      auto block = belt.empty_block();
      block.size = static_cast<std::size_t>(std::min<std::uint64_t>(k_block, size - done));
      if (!pread_exact(in.get(), std::span(block.memory).first(block.size), done, shown))
        fail(ErrorCode::size_mismatch, "'{}' became shorter while it was read", shown);
      hasher.update(block.bytes());
      done += block.size;
      if (progress) progress(block.size);
      belt.send(std::move(block));
    }
  }
  belt.rethrow_failure();
  auto taken = places.take(shown);
  // The holes count: a file that ends with one has its size all the same.
  if (::ftruncate(copy.get(), static_cast<off_t>(size)) != 0) fail_errno("set the size of a private copy");
  return {std::move(copy), hasher.finish(), std::move(taken)};
}

}  // namespace liftlock
