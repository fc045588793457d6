#include "audit/audit_reserve.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace liftlock {
namespace {

constexpr std::uint64_t k_plenty = 10 * k_audit_reserve;
constexpr std::uint64_t k_slice = 256u << 10;

UniqueFd open_reserve(const fs::path& folder, int flags) noexcept {
  return UniqueFd(::open((folder / "reserve").c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
}

std::uint64_t size_of(const UniqueFd& file) noexcept {
  struct stat status {};
  return file.valid() && ::fstat(file.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace

void keep_audit_reserve(const fs::path& folder) noexcept {
  if (has_audit_reserve(folder)) return;
  struct statvfs room {};
  if (::statvfs(folder.c_str(), &room) != 0 || std::uint64_t{room.f_bavail} * room.f_frsize < k_plenty) return;
  const auto file = open_reserve(folder, O_WRONLY | O_CREAT);
  if (!file.valid() || ::posix_fallocate(file.get(), 0, k_audit_reserve) == 0) return;
  if (::ftruncate(file.get(), 0) != 0) return;  // somebody else was faster to the room: the next one tries again
}

ReserveSlice spend_audit_reserve(const fs::path& folder) noexcept {
  const auto file = open_reserve(folder, O_WRONLY);
  const auto size = size_of(file);
  if (size == 0) return ReserveSlice::none;
  const auto left = size > k_slice ? size - k_slice : 0;
  if (::ftruncate(file.get(), static_cast<off_t>(left)) != 0) return ReserveSlice::none;
  return size == k_audit_reserve ? ReserveSlice::first : ReserveSlice::next;
}

bool has_audit_reserve(const fs::path& folder) noexcept {
  return size_of(open_reserve(folder, O_RDONLY)) == k_audit_reserve;
}

}  // namespace liftlock
