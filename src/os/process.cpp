#include "os/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "os/close_on_exec.hpp"
#include "os/environment.hpp"
#include "os/fd.hpp"
#include "os/keeper.hpp"

namespace liftlock {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) fail_errno("pipe");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// Returns in the child that becomes the program, whose death with `parent` is seen to.
/// Async-signal-safe.
void start_alone(pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
}

/// The same below a keeper, which the calling process becomes.
/// @param error_output what the program's will be
void start_kept(pid_t parent, int error_output) {
  ::setpgid(0, 0);  // what is sent to our group does not end the keeper
  become_keeper(parent, KeeperSession::shared);
  const auto keeper = ::getpid();
  const pid_t program = ::fork();
  if (program < 0) {
    constexpr std::string_view k_why = "no process can be made for it: the limit of processes, or of memory";
    (void)!::write(error_output, k_why.data(), k_why.size());
    ::_exit(125);
  }
  if (program > 0) {
    ::setpgid(program, program);
    keep_gently(program);
  }
  ::setpgid(0, 0);
  leave_keeper(keeper);
}

/// Ends what runs and reaps the child if the parent leaves by an exception.
class ChildGuard {
 public:
  enum class Child : std::uint8_t { program, keeper };
  ChildGuard(pid_t pid, Child child) : m_pid(pid), m_child(child) {}
  ~ChildGuard() {
    if (m_pid <= 0) return;
    if (m_child == Child::keeper) {
      ::kill(m_pid, SIGTERM);
    } else {
      ::kill(-m_pid, SIGKILL);
    }
    while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ChildGuard(const ChildGuard&) = delete;
  ChildGuard& operator=(const ChildGuard&) = delete;
  int wait() {
    if (m_child == Child::keeper) let_go(m_pid);
    int status = 0;
    while (::waitpid(m_pid, &status, 0) < 0) {
      if (errno != EINTR) fail_errno("waitpid");
    }
    m_pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t m_pid;
  Child m_child;
};

void drain(UniqueFd& fd, std::string& into, std::uint64_t limit, const std::string& program) {
  char buffer[65536];
  const auto got = ::read(fd.get(), buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) {
    fd.reset();
    return;
  }
  into.append(buffer, static_cast<std::size_t>(got));
  if (into.size() > limit) fail(ErrorCode::limit_exceeded, "{} wrote more than {} bytes", program, limit);
}

void feed(UniqueFd& fd, std::string_view& rest) {
  const auto put = ::write(fd.get(), rest.data(), rest.size());
  if (put < 0 && errno == EINTR) return;
  if (put < 0) {
    fd.reset();  // the child closed its input: its status says whether that was right
    return;
  }
  rest.remove_prefix(static_cast<std::size_t>(put));
  if (rest.empty()) fd.reset();
}

}  // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (::access(name.c_str(), X_OK) == 0) return name;
    return std::nullopt;
  }
  const char* path = std::getenv("PATH");
  for (const auto folder : split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    if (folder.empty()) continue;
    auto candidate = std::filesystem::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate)) return candidate;
  }
  return std::nullopt;
}

ProcessResult run_process(const ProcessSpec& spec) {
  const auto program = find_program(spec.argv.at(0));
  if (!program) {
    throw Error(ErrorCode::tool_missing, fmt::format("the program '{}' is not installed", spec.argv[0]),
                fmt::format("install the package that provides '{}'", spec.argv[0]));
  }
  auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  auto argv_strings = spec.argv;
  auto environment_strings =
      environment_lines(spec.clear_environment ? std::map<std::string, std::string>() : own_environment(),
                        spec.unset_environment, spec.set_environment);
  auto argv = exec_pointers(argv_strings);
  auto environment = exec_pointers(environment_strings);
  const auto parent = ::getpid();

  const pid_t pid = ::fork();
  if (pid < 0) fail_errno("fork");
  if (pid == 0) {
    // Only async-signal-safe calls from here on.
    if (spec.end_all) {
      start_kept(parent, err.write.get());
    } else {
      start_alone(parent);
    }
    ::dup2(in.read.get(), 0);
    ::dup2(out.write.get(), 1);
    ::dup2(err.write.get(), 2);
    close_on_exec_from(3);
    ::signal(SIGPIPE, SIG_DFL);
    if (!spec.working_folder.empty() && ::chdir(spec.working_folder.c_str()) != 0) ::_exit(126);
    ::execve(program->c_str(), argv.data(), environment.data());
    ::_exit(127);
  }
  ::setpgid(pid, pid);
  ChildGuard child(pid, spec.end_all ? ChildGuard::Child::keeper : ChildGuard::Child::program);
  in.read.reset();
  out.write.reset();
  err.write.reset();
  ::signal(SIGPIPE, SIG_IGN);

  ProcessResult result;
  std::string_view rest = spec.input;
  if (rest.empty()) in.write.reset();
  ::fcntl(in.write.get(), F_SETFL, O_NONBLOCK);
  const auto deadline = std::chrono::steady_clock::now() + spec.timeout;
  while (out.read.valid() || err.read.valid()) {
    pollfd polls[3] = {{in.write.get(), POLLOUT, 0}, {out.read.get(), POLLIN, 0}, {err.read.get(), POLLIN, 0}};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) fail(ErrorCode::tool_failed, "{} did not end within {} s", spec.argv[0], spec.timeout.count());
    const int ready = ::poll(polls, 3, static_cast<int>(std::min<long long>(left, 1000)));
    if (ready < 0 && errno != EINTR) fail_errno("poll");
    if (ready <= 0) continue;
    if (polls[0].revents != 0) feed(in.write, rest);
    if (polls[1].revents != 0) drain(out.read, result.output, spec.max_output, spec.argv[0]);
    if (polls[2].revents != 0) drain(err.read, result.error_output, spec.max_output, spec.argv[0]);
  }
  result.status = child.wait();
  return result;
}

ProcessResult run_process_checked(const ProcessSpec& spec) {
  auto result = run_process(spec);
  if (result.status == 0) return result;
  std::string_view tail = trim(result.error_output.empty() ? result.output : result.error_output);
  if (tail.size() > 2000) tail.remove_prefix(tail.size() - 2000);
  fail(ErrorCode::tool_failed, "{} ended with status {}: {}", spec.argv[0], result.status, tail);
}

}  // namespace liftlock
