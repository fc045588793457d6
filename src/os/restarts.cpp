#include "os/restarts.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <optional>

#include "base/error.hpp"
#include "os/fd.hpp"
#include "os/keeper.hpp"

namespace liftlock {
namespace {

using Clock = CircuitBreaker::Clock;

/// While it lives this process is told of ends and of orphans, and dies of no signal that asks for its end.
class Watch {
 public:
  Watch() {
    ::sigemptyset(&m_ends);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
      // What nohup and shells ignore for what runs in the background would wait for us once it is blocked.
      struct sigaction before {};
      if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) ::sigaddset(&m_ends, signal);
    }
    m_all = m_ends;
    ::sigaddset(&m_all, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &m_all, &m_before);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  ~Watch() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    restore_mask();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void restore_mask() const { ::sigprocmask(SIG_SETMASK, &m_before, nullptr); }
  bool is_stopping() const { return m_asked != 0; }
  /// The signal that asked for the end.
  int asked() const { return m_asked; }

  /// As waitpid(2) tells of it. Passes on what asks for its end, and reaps what falls to us meanwhile.
  int wait_for(pid_t child) {
    for (;;) {
      siginfo_t told{};
      const int signal = ::sigwaitinfo(&m_all, &told);
      if (signal > 0 && signal != SIGCHLD) {
        m_asked = signal;
        // Ctrl-C reaches the whole group, the program too; a terminal that is hung up tells the session's leader only.
        const bool has_it = signal == SIGINT && told.si_code == SI_KERNEL && ::getpgid(child) == ::getpgrp();
        if (!has_it) ::kill(child, signal);
      }
      int status = 0;
      for (pid_t ended; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (ended == child) return status;
      }
    }
  }

  /// What stopped the program stops us: a service manager takes that for a clean end.
  void end_by(int signal) const {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
    restore_mask();
  }

  void sleep_until(Clock::time_point when) {
    while (m_asked == 0) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(when - Clock::now()).count();
      if (left <= 0) return;
      const timespec time{left / 1'000'000'000, left % 1'000'000'000};
      m_asked = std::max(::sigtimedwait(&m_ends, nullptr, &time), 0);
    }
  }

 private:
  sigset_t m_ends, m_all, m_before;
  int m_asked = 0;
};

void say_that_it_starts(int pipe, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(125);
  while (::write(pipe, "s", 1) < 0 && errno == EINTR) {
  }
}

/// It said that it starts, and not that it could not.
bool did_start(int pipe) {
  char bytes[2];
  return ::read(pipe, bytes, sizeof bytes) == 1 && bytes[0] == 's';
}

}  // namespace

int keep_running(const std::function<void(const std::function<void()>& starts)>& become, const RestartTerms& terms) {
  Watch watch;
  CircuitBreaker breaker(terms.breaker);
  const auto parent = ::getpid();
  for (;;) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
    const UniqueFd told(ends[0]);
    UniqueFd tells(ends[1]);
    const auto child = ::fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
      watch.restore_mask();
      try {
        become([&] { say_that_it_starts(tells.get(), parent); });
        fail(ErrorCode::internal, "a program was to be started, and was not");
      } catch (...) {
        (void)!::write(tells.get(), "f", 1);
        throw;
      }
    }
    tells.reset();
    const int ended = watch.wait_for(child);
    end_children();
    if (watch.is_stopping() && WIFSIGNALED(ended)) watch.end_by(WTERMSIG(ended));
    const int status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    if (status == 0 || watch.is_stopping() || !did_start(told.get())) return status;
    const auto when = Clock::now();
    breaker.failed(when);
    const auto next = breaker.open_until(when).value_or(when + breaker.backoff(when));
    if (terms.on_restart) terms.on_restart(status, std::chrono::ceil<std::chrono::milliseconds>(next - when));
    watch.sleep_until(next);
    if (watch.is_stopping()) {
      watch.end_by(watch.asked());
      return 128 + watch.asked();
    }
  }
}

}  // namespace liftlock
