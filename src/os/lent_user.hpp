// A user id that nobody else on this machine has, for as long as a program that we do not trust runs.
#pragma once

#include <sys/types.h>

namespace liftlock {

/// Ids of the range 1879048192 to 2147483647, which systemd's list of uid ranges names as unused: 64 for each process
/// id that a kernel may give. Where this process' user namespace does not have that range, all share k_shared.
class LentUser {
 public:
  static constexpr uid_t k_shared = 64010;

  /// Any thread. @throws Error{sandbox_unavailable} when this process lends 64 already
  LentUser();
  ~LentUser();
  LentUser(const LentUser&) = delete;
  LentUser& operator=(const LentUser&) = delete;

  uid_t id() const { return m_id; }

 private:
  int m_place = -1;
  uid_t m_id = k_shared;
};

}  // namespace liftlock
