#include "os/lent_user.hpp"

#include <unistd.h>

#include <bit>
#include <cstdint>
#include <mutex>
#include <sstream>

#include "base/error.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

constexpr uid_t k_first = 1'879'048'192;
constexpr int k_places = 64;

std::mutex g_mutex;
std::uint64_t g_taken = 0;  // a bit for each place

bool namespace_has(uid_t id) {
  std::istringstream map(read_file("/proc/self/uid_map", 64u << 10));
  for (std::uint64_t inside = 0, outside = 0, count = 0; map >> inside >> outside >> count;) {
    if (id >= inside && id - inside < count) return true;
  }
  return false;
}

}  // namespace

LentUser::LentUser() {
  const auto first = k_first + static_cast<uid_t>(::getpid()) * k_places;
  if (!namespace_has(first) || !namespace_has(first + k_places - 1)) return;
  const std::lock_guard lock(g_mutex);
  m_place = std::countr_one(g_taken);
  if (m_place == k_places) {
    throw Error(ErrorCode::sandbox_unavailable, fmt::format("{} sandboxes run already", k_places),
                "end some of them, or start them from another process");
  }
  g_taken |= std::uint64_t{1} << m_place;
  m_id = first + static_cast<uid_t>(m_place);
}

LentUser::~LentUser() {
  const std::lock_guard lock(g_mutex);
  if (m_place >= 0) g_taken &= ~(std::uint64_t{1} << m_place);
}

}  // namespace liftlock
