#include "os/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/lockdown.hpp"
#include "os/process.hpp"

namespace liftlock {
namespace {

constexpr const char* k_run = "/run/liftlock";

/// Runs between fork and exec: sheds root, so that the sandbox's user namespace maps to a user that owns nothing.
bool become(uid_t uid) {
  if (::geteuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(uid, uid, uid) == 0 && ::setresuid(uid, uid, uid) == 0;
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit both{value, value};
  ::setrlimit(resource, &both);
}

}  // namespace

fs::path socket_of(const SandboxSpec& spec, const std::string& socket_name) {
  return spec.run_folder / socket_name;
}

Sandbox::Sandbox(SandboxSpec spec) : m_spec(std::move(spec)) {
  prepare_run_folder();
  try {
    start();
  } catch (...) {
    if (m_mounted) ::umount2(m_spec.run_folder.c_str(), MNT_DETACH);
    throw;
  }
}

Sandbox::~Sandbox() {
  kill();
  if (m_pid > 0) wait();
  if (m_mounted) ::umount2(m_spec.run_folder.c_str(), MNT_DETACH);
}

void Sandbox::prepare_run_folder() {
  make_folders(m_spec.run_folder);
  if (::geteuid() != 0) {
    if (::chmod(m_spec.run_folder.c_str(), 0700) != 0) fail_errno("chmod the engine's run folder");
    return;
  }
  // An engine that fills this folder must not fill the host's disk.
  const auto options =
      fmt::format("size={},nr_inodes=64,mode=0700,uid={},gid={}", m_spec.run_bytes, m_spec.uid, m_spec.uid);
  if (::mount("liftlock-run", m_spec.run_folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) ==
      0) {
    m_mounted = true;
    return;
  }
  if (::chown(m_spec.run_folder.c_str(), m_spec.uid, m_spec.uid) != 0) fail_errno("chown the engine's run folder");
}

std::vector<std::string> Sandbox::bubblewrap_arguments(int seccomp_fd, int usr_fd, int run_fd) const {
  std::vector<std::string> out = {"bwrap",
                                  "--unshare-all",
                                  "--unshare-user",
                                  "--disable-userns",
                                  "--cap-drop",
                                  "ALL",
                                  "--clearenv",
                                  "--new-session",
                                  "--die-with-parent",
                                  "--hostname",
                                  "engine",
                                  "--seccomp",
                                  std::to_string(seccomp_fd),
                                  "--ro-bind-fd",
                                  std::to_string(usr_fd),
                                  "/usr",
                                  "--symlink",
                                  "usr/lib",
                                  "/lib",
                                  "--symlink",
                                  "usr/lib64",
                                  "/lib64",
                                  "--symlink",
                                  "usr/bin",
                                  "/bin",
                                  "--proc",
                                  "/proc",
                                  "--dev",
                                  "/dev",
                                  "--size",
                                  "67108864",
                                  "--tmpfs",
                                  "/dev/shm",
                                  "--remount-ro",
                                  "/dev",
                                  "--size",
                                  "67108864",
                                  "--tmpfs",
                                  "/tmp",
                                  "--dir",
                                  "/run",
                                  "--bind-fd",
                                  std::to_string(run_fd),
                                  k_run};
  for (const auto& [path, fd] : m_spec.files) {
    out.insert(out.end(), {"--ro-bind-fd", std::to_string(fd), path});
  }
  for (const auto& [key, value] : m_spec.environment) out.insert(out.end(), {"--setenv", key, value});
  out.insert(out.end(), {"--remount-ro", "/", "--chdir", "/", "--"});
  out.insert(out.end(), m_spec.argv.begin(), m_spec.argv.end());
  return out;
}

void Sandbox::start() {
  const auto bubblewrap = find_program("bwrap");
  if (!bubblewrap)
    throw Error(ErrorCode::tool_missing, "bubblewrap is not installed", "install the package bubblewrap");
  const auto seccomp = engine_seccomp_program();
  // bubblewrap mounts what it is told by path: a descriptor opened with O_PATH names the inode, not the path.
  m_log = std::make_unique<LogPump>(m_spec.log, m_spec.max_log_bytes);
  const int log = m_log->write_end();
  const auto nothing = open_file("/dev/null", O_RDONLY);
  std::vector<UniqueFd> binds;
  for (const auto& folder : {m_spec.root / "usr", m_spec.run_folder}) {
    binds.push_back(open_file(folder, O_PATH | O_DIRECTORY));
  }
  for (auto& [path, fd] : m_spec.files) {
    binds.emplace_back(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_PATH | O_CLOEXEC));
    if (!binds.back().valid()) fail_errno(fmt::format("open {} for the sandbox", path));
    fd = binds.back().get();
  }
  auto arguments = bubblewrap_arguments(seccomp.get(), binds[0].get(), binds[1].get());
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char path_variable[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path_variable, nullptr};
  const auto parent = ::getpid();

  m_pid = ::fork();
  if (m_pid < 0) fail_errno("fork");
  if (m_pid > 0) return m_log->close_write_end();
  // Only async-signal-safe calls from here on.
  ::setsid();
  ::dup2(nothing.get(), 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::fcntl(seccomp.get(), F_SETFD, 0);
  for (const auto& bind : binds) ::fcntl(bind.get(), F_SETFD, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 64u << 20);
  limit(RLIMIT_NOFILE, 1024);
  if (m_spec.max_memory > 0) limit(RLIMIT_DATA, m_spec.max_memory);
  if (!become(m_spec.uid)) ::_exit(125);
  if (::geteuid() == m_spec.uid) limit(RLIMIT_NPROC, m_spec.max_processes);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  ::execve(bubblewrap->c_str(), argv.data(), environment);
  ::_exit(126);
}

std::optional<int> Sandbox::poll() {
  if (m_status || m_pid <= 0) return m_status;
  int status = 0;
  const auto got = ::waitpid(m_pid, &status, WNOHANG);
  if (got != m_pid) return std::nullopt;
  set_status(status);
  return m_status;
}

void Sandbox::set_status(int wait_status) {
  m_pid = -1;
  m_status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  m_log->finish();
}

int Sandbox::wait() {
  while (!m_status) {
    int status = 0;
    const auto got = ::waitpid(m_pid, &status, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("waitpid");
    set_status(status);
  }
  return *m_status;
}

void Sandbox::kill() {
  if (m_pid > 0) ::kill(m_pid, SIGKILL);
}

}  // namespace liftlock
