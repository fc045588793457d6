#include <fcntl.h>
#include <unistd.h>

#include "store/maintenance.hpp"

namespace liftlock {
namespace {

fs::path reserve_file(const fs::path& store) {
  return store / "gc-reserve";
}

}  // namespace

void keep_gc_reserve(const fs::path& store) noexcept {
  // An entry of the audit log with the tiles that it fills, and the -shm and a few pages of -wal of the catalog.
  constexpr off_t k_size = 1 << 20;
  const UniqueFd fd(::open(reserve_file(store).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (fd.valid() && ::posix_fallocate(fd.get(), 0, k_size) != 0) ::unlink(reserve_file(store).c_str());
}

GcReserve::GcReserve(fs::path store) : m_store(std::move(store)) {
  ::unlink(reserve_file(m_store).c_str());
}

GcReserve::~GcReserve() {
  keep_gc_reserve(m_store);
}

}  // namespace liftlock
