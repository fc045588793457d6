// Ctrl-C in commands that take long.
#pragma once

#include <signal.h>

#include <stop_token>
#include <thread>

#include "os/fd.hpp"

namespace liftlock {

/// From here on SIGINT ends the process with status 130 and a word that says so, as suddenly as it would without: what
/// calls this can be killed anywhere and goes on where it was. Does nothing where SIGINT is ignored.
void resume_after_interrupt();

/// The same for what begins anew, because it only reads (verify, scrub) or leaves nothing half done (model export).
void begin_anew_after_interrupt();

/// While it lives SIGINT asks to stop instead of ending the process: for what does its work in pieces and says at the
/// end how far it came. A second one ends it as suddenly as without. Does nothing where SIGINT is ignored. One at a
/// time.
class InterruptStop {
 public:
  InterruptStop();
  ~InterruptStop();
  InterruptStop(const InterruptStop&) = delete;
  InterruptStop& operator=(const InterruptStop&) = delete;

  /// Hears of it a moment later than requested().
  std::stop_token token() const { return m_stop.get_token(); }
  bool requested() const;

 private:
  UniqueFd m_woken;  ///< an eventfd(2): a handler may write to it, and must not call request_stop()
  std::stop_source m_stop;
  struct sigaction m_before {};
  std::thread m_thread;
};

/// The exit status of what stopped so, as a shell has it.
inline constexpr int k_interrupted_status = 128 + SIGINT;

}  // namespace liftlock
