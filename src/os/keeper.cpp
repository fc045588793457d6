#include "os/keeper.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

namespace liftlock {
namespace {

/// Asks for `signal` at the parent's death, which may have come before.
void die_with(pid_t parent, int signal) {
  ::prctl(PR_SET_PDEATHSIG, signal);
  if (::getppid() != parent) ::_exit(125);
}

/// Each child of this process, whose only thread calls, gets it. What those leave behind comes to be its child in turn.
void signal_children(int signal) {
  const int fd = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char text[4096];
  pid_t child = 0;
  for (ssize_t size = 0; (size = ::read(fd, text, sizeof text)) > 0;) {
    for (ssize_t i = 0; i < size; ++i) {
      if (text[i] >= '0' && text[i] <= '9') {
        child = child * 10 + (text[i] - '0');
      } else {
        if (child > 0) ::kill(child, signal);
        child = 0;
      }
    }
  }
  ::close(fd);
}

/// Takes the status of every child that ended. Is there any left?
bool reap(pid_t program, int& program_status) {
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended < 0) return errno == EINTR;
    if (ended == 0) return true;
    if (ended == program) program_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

/// A process that is about to start another one may do so after we looked: so until none is left.
void end_children(pid_t program, int& program_status) {
  sigset_t ended;
  ::sigemptyset(&ended);
  ::sigaddset(&ended, SIGCHLD);
  while (reap(program, program_status)) {
    signal_children(SIGKILL);
    const timespec moment{0, 1'000'000};
    ::sigtimedwait(&ended, nullptr, &moment);
  }
}

constexpr time_t k_patience = 2;  // seconds

bool is_past(const timespec& moment) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec > moment.tv_sec || (now.tv_sec == moment.tv_sec && now.tv_nsec >= moment.tv_nsec);
}

/// Asks the program's group to end, and kills what does not. Once the program has ended, the group's number may be
/// another one's.
void ask_children_to_end(pid_t program, int& program_status) {
  if (program_status < 0) {
    ::kill(-program, SIGTERM);
  } else {
    signal_children(SIGTERM);
  }
  sigset_t ended;
  ::sigemptyset(&ended);
  ::sigaddset(&ended, SIGCHLD);
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += k_patience;
  while (reap(program, program_status)) {
    if (is_past(end)) return end_children(program, program_status);
    const timespec moment{0, 10'000'000};
    ::sigtimedwait(&ended, nullptr, &moment);
  }
}

void close_all() {
  if (::close_range(0, ~0u, 0) == 0) return;
  // Before Linux 5.9, or where a filter knows no close_range.
  rlimit most{};
  if (::getrlimit(RLIMIT_NOFILE, &most) != 0) most.rlim_cur = 1u << 20;
  for (int fd = 0; fd < static_cast<int>(most.rlim_cur); ++fd) ::close(fd);
}

constexpr int k_let_go = SIGUSR1;

enum class Until : std::uint8_t { program_ended, also_let_go };

/// Has no descriptor open from here on, and waits: true once that is so, false on SIGTERM.
bool await(Until until, pid_t program, int& program_status) {
  close_all();
  bool is_kept = until == Until::also_let_go;
  sigset_t awaited;
  ::sigemptyset(&awaited);
  ::sigaddset(&awaited, SIGCHLD);
  ::sigaddset(&awaited, SIGTERM);
  ::sigaddset(&awaited, k_let_go);
  while (program_status < 0 || is_kept) {
    const int signal = ::sigwaitinfo(&awaited, nullptr);
    if (signal == SIGTERM) return false;
    if (signal == k_let_go) is_kept = false;
    reap(program, program_status);
  }
  return true;
}

}  // namespace

void end_children() {
  int status = 0;
  end_children(-1, status);
}

void become_keeper(pid_t parent, KeeperSession session) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  if (session == KeeperSession::own) ::setsid();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, "keeper");
  die_with(parent, SIGTERM);
}

void leave_keeper(pid_t keeper) {
  die_with(keeper, SIGKILL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void keep(pid_t program) {
  int status = -1;
  await(Until::program_ended, program, status);
  end_children(program, status);
  ::_exit(status < 0 ? 128 + SIGKILL : status);
}

void keep_gently(pid_t program) {
  int status = -1;
  if (!await(Until::also_let_go, program, status)) ask_children_to_end(program, status);
  ::_exit(status < 0 ? 128 + SIGKILL : status);
}

void let_go(pid_t keeper) {
  ::kill(keeper, k_let_go);
}

}  // namespace liftlock
