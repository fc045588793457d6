// Sees system calls that no engine makes, whichever process of a sandbox makes them: the kernel ends who does by
// itself, but of the end of a child only its parent hears, which may be in league with it. So such a call waits for a
// thread of ours (seccomp_unotify(2)), which ends all of the sandbox. Source: seccomp(2),
// SECCOMP_FILTER_FLAG_NEW_LISTENER.
#pragma once

#include <linux/filter.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "os/fd.hpp"

namespace liftlock {

/// Loads a filter that notifies, for the calling thread, which must have set no_new_privs. The notification descriptor,
/// or -1 with errno set: EBUSY where a filter above has one. Async-signal-safe.
int load_with_listener(const std::vector<sock_filter>& filter);

/// Of one sandbox. bubblewrap needs some of these calls itself, before it reads the byte of its gate (--block-fd):
/// until then they go on.
class DeadlyCallWatch {
 public:
  /// Has this kernel what it takes (Linux 5.9: before it, a listener is not told when all that it watches has ended)? A
  /// filter above, as in some containers, may still be in the way.
  static bool is_possible();
  /// And can this call be seen (watchable_calls())?
  static bool sees(std::string_view call);

  /// @param gate a pipe that is its own writer, empty, from which bubblewrap reads
  explicit DeadlyCallWatch(int gate);
  /// After the end of all that is watched.
  ~DeadlyCallWatch();
  DeadlyCallWatch(const DeadlyCallWatch&) = delete;
  DeadlyCallWatch& operator=(const DeadlyCallWatch&) = delete;

  /// In the child that becomes bubblewrap, as who it stays: it and all below it are watched. false: they cannot be, and
  /// the calls have to be deadly by themselves. Async-signal-safe.
  bool watch_this_process() const;
  /// After the fork, once.
  /// @param keeper a child of ours, of which SIGTERM ends the sandbox
  void begin(pid_t keeper);
  /// Writes the byte of the gate: what is called once it was read is not bubblewrap's.
  void release();
  /// After begin(): is it told of calls? Waits until the child has said so, or that it cannot be.
  bool is_at_work() const;
  /// The name of the call for which the sandbox was ended.
  std::optional<std::string> found() const;

 private:
  void watch();
  UniqueFd receive_listener();
  bool waits(int fd) const;
  bool answer();
  bool is_being_made() const;

  std::vector<sock_filter> m_filter;
  UniqueFd m_gate, m_ours, m_theirs, m_stop_read, m_stop_write;
  UniqueFd m_keeper;           ///< pidfd
  UniqueFd m_listener;         ///< of the thread; closed last, for what waits would go on
  mutable std::mutex m_mutex;  ///< guards what follows
  bool m_is_released = false;
  mutable std::condition_variable m_told;
  std::optional<bool> m_is_at_work;
  std::optional<std::string> m_found;
  std::thread m_thread;
};

}  // namespace liftlock
