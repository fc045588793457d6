#include "os/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "os/close_on_exec.hpp"
#include "os/keeper.hpp"
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

/// Where root's child shows what it binds to bubblewrap, in a mount namespace of its own.
constexpr const char* k_stage = "/run";

std::string stage_path(std::size_t index) {
  return fmt::format("{}/{}", k_stage, index);
}

/// bubblewrap looks up the path of what it binds, as a user who may not come to it: an installation is closed to
/// others. So root's child puts it where everybody may, by descriptor. Runs between fork and exec.
/// @param trees of open_tree(2), taken before the fork, for a clone must start in its own namespace
bool stage(const std::vector<UniqueFd>& trees, const std::vector<std::string>& paths,
           const std::vector<bool>& folders) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
  if (::mount("liftlock-stage", k_stage, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0) return false;
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const char* path = paths[i].c_str();
    const int made = folders[i] ? ::mkdir(path, 0755) : ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (made < 0 || ::move_mount(trees[i].get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0) return false;
  }
  return true;
}

/// A pipe that is its own writer, so that whoever has it reads a byte that was written, and never its end: a sandbox
/// that waits for us does not take our death for the byte.
UniqueFd make_gate() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
  const UniqueFd read(ends[0]), write(ends[1]);
  return open_file(fmt::format("/proc/self/fd/{}", read.get()), O_RDWR | O_CLOEXEC);
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit both{value, value};
  ::setrlimit(resource, &both);
}

}  // namespace

fs::path socket_of(const SandboxSpec& spec, const std::string& socket_name) {
  return spec.run_folder / socket_name;
}

Sandbox::Sandbox(SandboxSpec spec, Start start) : m_spec(std::move(spec)) {
  if (start == Start::when_released) m_gate = make_gate();
  prepare_run_folder();
  try {
    begin();
  } catch (...) {
    if (m_mounted) ::umount2(m_spec.run_folder.c_str(), MNT_DETACH);
    throw;
  }
}

Sandbox::~Sandbox() {
  kill();
  if (m_keeper > 0) wait();
  if (m_mounted) ::umount2(m_spec.run_folder.c_str(), MNT_DETACH);
}

void Sandbox::prepare_run_folder() {
  if (m_spec.run_folder.empty()) return;
  make_folders(m_spec.run_folder);
  if (::geteuid() != 0) {
    if (::chmod(m_spec.run_folder.c_str(), 0700) != 0) fail_errno("chmod the engine's run folder");
    return;
  }
  // An engine that fills this folder must not fill the host's disk.
  const auto options =
      fmt::format("size={},nr_inodes=64,mode=0700,uid={},gid={}", m_spec.run_bytes, m_user.id(), m_user.id());
  if (::mount("liftlock-run", m_spec.run_folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) ==
      0) {
    m_mounted = true;
    return;
  }
  if (::chown(m_spec.run_folder.c_str(), m_user.id(), m_user.id()) != 0) fail_errno("chown the engine's run folder");
}

std::vector<std::string> Sandbox::bubblewrap_arguments(int seccomp_fd, const std::vector<UniqueFd>& binds,
                                                       bool staged) const {
  const auto bind = [&](const std::string& kind, std::size_t index, const std::string& path) {
    if (staged) return std::vector{kind, stage_path(index), path};
    return std::vector{kind + "-fd", std::to_string(binds[index].get()), path};
  };
  std::vector<std::string> out = {
      "bwrap",  "--unshare-all", "--unshare-user",          "--disable-userns",  "--cap-drop",
      "ALL",    "--clearenv",    "--new-session",           "--die-with-parent", "--hostname",
      "engine", "--seccomp",     std::to_string(seccomp_fd)};
  const auto add = [&](const std::vector<std::string>& more) { out.insert(out.end(), more.begin(), more.end()); };
  add(bind("--ro-bind", 0, "/usr"));
  add({"--symlink", "usr/lib", "/lib",     "--symlink",    "usr/lib64", "/lib64", "--symlink",
       "usr/bin",   "/bin",    "--proc",   "/proc",        "--dev",     "/dev",   "--size",
       "67108864",  "--tmpfs", "/dev/shm", "--remount-ro", "/dev",      "--size", "67108864",
       "--tmpfs",   "/tmp",    "--dir",    "/run"});
  std::size_t next = 1;
  if (!m_spec.run_folder.empty()) add(bind("--bind", next++, k_run));
  for (const auto& [path, fd] : m_spec.files) add(bind("--ro-bind", next++, path));
  for (const auto& [path, fd] : m_spec.memory_files) add({"--symlink", fmt::format("/proc/self/fd/{}", fd), path});
  if (m_gate.valid()) add({"--block-fd", std::to_string(m_gate.get())});
  for (const auto& [key, value] : m_spec.environment) add({"--setenv", key, value});
  add({"--remount-ro", "/", "--chdir", "/", "--"});
  add(m_spec.argv);
  return out;
}

void Sandbox::begin() {
  const auto bubblewrap = find_program("bwrap");
  if (!bubblewrap)
    throw Error(ErrorCode::tool_missing, "bubblewrap is not installed", "install the package bubblewrap");
  const auto seccomp = engine_seccomp_program();
  // bubblewrap mounts what it is told by path: a descriptor opened with O_PATH names the inode, not the path.
  m_log = std::make_unique<LogPump>(m_spec.log, m_spec.max_log_bytes);
  const int log = m_log->write_end();
  const auto nothing = open_file("/dev/null", O_RDONLY);
  std::vector<UniqueFd> binds, trees;
  std::vector<std::string> stage_paths;
  std::vector<bool> folders;
  const auto add_bind = [&](UniqueFd fd, bool folder) {
    if (!fd.valid()) fail_errno("open what the sandbox shows");
    trees.emplace_back(::open_tree(fd.get(), "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    stage_paths.push_back(stage_path(binds.size()));
    folders.push_back(folder);
    binds.push_back(std::move(fd));
  };
  for (const auto& folder : {m_spec.root / "usr", m_spec.run_folder}) {
    if (!folder.empty()) add_bind(open_file(folder, O_PATH | O_DIRECTORY), true);
  }
  for (const auto& [path, fd] : m_spec.files) {
    add_bind(UniqueFd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_PATH | O_CLOEXEC)),
             S_ISDIR(stat_of(fd, path).st_mode));
  }
  const bool staged = ::geteuid() == 0 && std::all_of(trees.begin(), trees.end(), [](auto& fd) { return fd.valid(); });
  auto arguments = bubblewrap_arguments(seccomp.get(), binds, staged);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char path_variable[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path_variable, nullptr};
  const auto parent = ::getpid();
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) fail_errno("pipe2");
  const UniqueFd report_read(report[0]);
  UniqueFd report_write(report[1]);

  m_keeper = ::fork();
  if (m_keeper < 0) fail_errno("fork");
  if (m_keeper > 0) {
    m_log->close_write_end();
    report_write.reset();
    // Without an answer it has ended, and poll() tells how.
    while (::read(report_read.get(), &m_pid, sizeof m_pid) < 0 && errno == EINTR) {
    }
    return;
  }
  // Only async-signal-safe calls from here on.
  become_keeper(parent);
  const auto keeper = ::getpid();
  m_pid = ::fork();
  if (m_pid < 0) ::_exit(125);
  if (m_pid > 0) {
    if (::write(report_write.get(), &m_pid, sizeof m_pid) != sizeof m_pid) ::_exit(125);
    keep(m_pid);
  }
  ::dup2(m_spec.input >= 0 ? m_spec.input : nothing.get(), 0);
  ::dup2(m_spec.output >= 0 ? m_spec.output : log, 1);
  ::dup2(log, 2);
  close_on_exec_from(3);
  ::fcntl(seccomp.get(), F_SETFD, 0);
  if (m_gate.valid()) ::fcntl(m_gate.get(), F_SETFD, 0);
  // Staged, they are mounts that bubblewrap finds by their paths; it would leave the descriptors open, which lead
  // outside.
  if (!staged) {
    for (const auto& bind : binds) ::fcntl(bind.get(), F_SETFD, 0);
  }
  for (const auto& file : m_spec.memory_files) ::fcntl(file.second, F_SETFD, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, m_spec.max_file);
  limit(RLIMIT_NOFILE, 1024);
  if (m_spec.max_memory > 0) limit(RLIMIT_DATA, m_spec.max_memory);
  if (staged && !stage(trees, stage_paths, folders)) ::_exit(124);
  if (!become(m_user.id())) ::_exit(125);
  if (::geteuid() == m_user.id()) limit(RLIMIT_NPROC, m_spec.max_processes);
  leave_keeper(keeper);
  ::execve(bubblewrap->c_str(), argv.data(), environment);
  ::_exit(126);
}

std::optional<int> Sandbox::poll() {
  if (m_status || m_keeper <= 0) return m_status;
  int status = 0;
  const auto got = ::waitpid(m_keeper, &status, WNOHANG);
  if (got != m_keeper) return std::nullopt;
  set_status(status);
  return m_status;
}

void Sandbox::set_status(int wait_status) {
  m_keeper = -1;
  m_status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
  m_log->finish();
}

int Sandbox::wait() {
  while (!m_status) {
    int status = 0;
    const auto got = ::waitpid(m_keeper, &status, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno("waitpid");
    set_status(status);
  }
  return *m_status;
}

void Sandbox::release() {
  if (m_gate.valid()) write_all(m_gate.get(), std::string_view("x"), "the gate of the sandbox");
  m_gate.reset();
}

void Sandbox::kill() {
  if (m_keeper > 0) ::kill(m_keeper, SIGTERM);
}

}  // namespace liftlock
