#include "os/sealed_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr int k_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
constexpr unsigned k_noexec_seal = 0x0008U;  // MFD_NOEXEC_SEAL, Linux 6.3
constexpr std::uint64_t k_no_limit = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t k_max_text = 64u << 10;

std::string text_of(const fs::path& file) {
  try {
    return fs::exists(file) ? read_file(file, k_max_text) : std::string();
  } catch (const Error&) {
    return {};
  }
}

/// Of cgroup v2: the least that a group above this process leaves.
std::uint64_t left_by_groups() {
  auto left = k_no_limit;
  const auto groups = text_of("/proc/self/cgroup");
  for (const auto line : split(groups, '\n')) {
    if (!line.starts_with("0::/")) continue;
    for (fs::path group = std::string(line.substr(3));; group = group.parent_path()) {
      const auto place = fs::path("/sys/fs/cgroup") / group.relative_path();
      const auto max = text_of(place / "memory.max"), current = text_of(place / "memory.current");
      const auto most = parse_uint(trim(max)), used = parse_uint(trim(current));
      if (most && used) left = std::min(left, *most - std::min(*most, *used));
      if (group == group.parent_path()) break;
    }
  }
  return left;
}

}  // namespace

SealedMemory::SealedMemory(const std::string& name, std::uint64_t size) : m_name(name) {
  constexpr unsigned k_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  const auto shown = m_name.substr(0, 200);  // the kernel takes 249
  m_fd = UniqueFd(::memfd_create(shown.c_str(), k_flags | k_noexec_seal));
  if (!m_fd.valid() && errno == EINVAL) m_fd = UniqueFd(::memfd_create(shown.c_str(), k_flags));
  if (!m_fd.valid()) fail_errno("make a file in memory");
  if (::ftruncate(m_fd.get(), static_cast<off_t>(size)) != 0 || ::fchmod(m_fd.get(), 0444) != 0)
    fail_errno("make a file in memory");
}

void SealedMemory::write(std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const auto done = ::pwrite(m_fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && (errno == ENOSPC || errno == ENOMEM))
      fail(ErrorCode::memory_limit, "there is no memory left for '{}'", m_name);
    if (done < 0) fail_errno("write to a file in memory");
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

UniqueFd SealedMemory::reader() const {
  return open_file(fmt::format("/proc/self/fd/{}", m_fd.get()), O_RDONLY);
}

void SealedMemory::seal() {
  if (::fcntl(m_fd.get(), F_ADD_SEALS, k_seals) != 0) fail_errno("seal a file in memory");
  if (!is_sealed(m_fd.get())) fail(ErrorCode::io_error, "the kernel did not seal '{}'", m_name);
  m_fd.reset();
}

bool is_sealed(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & k_seals) == k_seals;
}

std::uint64_t available_memory() {
  auto available = k_no_limit;
  constexpr std::string_view k_line = "MemAvailable:";
  const auto memory = text_of("/proc/meminfo");
  for (const auto line : split(memory, '\n')) {
    if (!line.starts_with(k_line)) continue;
    auto number = trim(line.substr(k_line.size()));
    number = number.substr(0, number.find(' '));
    if (const auto kib = parse_uint(number)) available = *kib * 1024;
  }
  return std::min(available, left_by_groups());
}

}  // namespace liftlock
