// For tests of what is larger than memory should be: how much something takes at most, and a text of any size that
// costs nothing.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace liftlock {

inline constexpr std::uint64_t k_gigabyte = 1ull << 30;

/// The most that this process had resident since the object was made, beyond what it had then. 0 where that says
/// nothing: sanitizers keep what was freed, and not every kernel lets the mark be reset.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";
    m_before = peak();
  }
  std::uint64_t grown() const {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return 0;
#else
    return peak() - m_before;
#endif
  }

 private:
  static std::uint64_t peak() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      std::uint64_t kib = 0;
      if (word == "VmHWM:" && status >> kib) return kib * 1024;
    }
    return 0;
  }
  std::uint64_t m_before = 0;
};

/// Zeros that no memory holds, as long as nobody writes to them.
class HugeText {
 public:
  explicit HugeText(std::uint64_t size)
      : m_size(size), m_begin(::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (m_begin == MAP_FAILED) fail(ErrorCode::memory_limit, "no room for a text of {} bytes", size);
  }
  ~HugeText() { ::munmap(m_begin, m_size); }
  HugeText(const HugeText&) = delete;
  HugeText& operator=(const HugeText&) = delete;
  operator std::string_view() const { return {static_cast<const char*>(m_begin), m_size}; }

 private:
  std::uint64_t m_size;
  void* m_begin;
};

}  // namespace liftlock
