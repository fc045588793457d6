#include "os/program_pipe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.hpp"
#include "os/close_on_exec.hpp"
#include "os/environment.hpp"
#include "os/file.hpp"
#include "os/process.hpp"

namespace liftlock {

ProgramPipe::ProgramPipe(std::vector<std::string> argv, Way way) {
  const auto program = find_program(argv.at(0));
  if (!program) {
    throw Error(ErrorCode::tool_missing, fmt::format("the program '{}' is not installed", argv[0]),
                fmt::format("install the package that provides '{}'", argv[0]));
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
  UniqueFd read(ends[0]), write(ends[1]);
  const auto nothing = open_file("/dev/null", O_RDONLY);
  auto environment_strings = environment_lines(own_environment(), {}, {});
  auto arguments = exec_pointers(argv), environment = exec_pointers(environment_strings);
  const auto parent = ::getpid();
  m_pid = ::fork();
  if (m_pid < 0) fail_errno("fork");
  if (m_pid == 0) {
    // Only async-signal-safe calls from here on.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(way == Way::into ? read.get() : nothing.get(), 0);
    ::dup2(way == Way::into ? 2 : write.get(), 1);
    close_on_exec_from(3);
    ::signal(SIGPIPE, SIG_DFL);
    ::execve(program->c_str(), arguments.data(), environment.data());
    ::_exit(127);
  }
  ::setpgid(m_pid, m_pid);
  m_end = std::move(way == Way::into ? write : read);
  if (way == Way::into) ::signal(SIGPIPE, SIG_IGN);
}

ProgramPipe::~ProgramPipe() {
  if (m_pid <= 0) return;
  ::kill(-m_pid, SIGKILL);
  while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool ProgramPipe::is_shut() const {
  pollfd end{m_end.get(), POLLOUT, 0};
  return ::poll(&end, 1, 0) > 0 && (end.revents & POLLERR) != 0;
}

int ProgramPipe::wait() {
  m_end.reset();
  int status = 0;
  while (::waitpid(m_pid, &status, 0) < 0) {
    if (errno != EINTR) fail_errno("waitpid");
  }
  m_pid = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace liftlock
