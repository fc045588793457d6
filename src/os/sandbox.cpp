#include "os/sandbox.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "os/close_on_exec.hpp"
#include "os/deadly_calls.hpp"
#include "os/host.hpp"
#include "os/keeper.hpp"
#include "os/lockdown.hpp"
#include "os/process.hpp"
#include "os/process_memory.hpp"
#include "os/run_folder.hpp"
#include "os/tmpfs_bound.hpp"

namespace liftlock {
namespace {

constexpr const char* k_run = "/run/liftlock";
/// In a user's run folder: leads to the sandbox's own.
constexpr const char* k_link = "inside";
/// What else a program may write into: tmpfs of its sandbox.
constexpr std::array k_scratch = {"/dev/shm", "/tmp"};
constexpr std::uint64_t k_scratch_bytes = 64u << 20;
constexpr unsigned k_scratch_files = 4096;
constexpr unsigned k_run_files = 64;
constexpr std::uint64_t k_open_files = 1024;
/// bubblewrap makes its mounts in a few milliseconds.
constexpr std::chrono::seconds k_setup_patience{30};
constexpr std::chrono::milliseconds k_setup_look{1};
constexpr std::size_t k_max_info = 64u << 10;
constexpr std::uint64_t k_max_probe_log = 1u << 20;

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

/// Each in the order of k_scratch.
constexpr std::array k_staged_scratch = {"/run/scratch-0", "/run/scratch-1"};
static_assert(k_staged_scratch.size() == k_scratch.size());

std::string tmpfs_options(std::uint64_t bytes, unsigned files, const char* mode, uid_t uid) {
  return fmt::format("size={},nr_inodes={},mode={},uid={},gid={}", bytes, files, mode, uid, uid);
}

/// bubblewrap looks up the path of what it binds, as a user who may not come to it: an installation is closed to
/// others. So root's child puts it where everybody may, by descriptor. Runs between fork and exec.
/// @param trees of open_tree(2), taken before the fork, for a clone must start in its own namespace
/// @param scratch options of the tmpfs that bubblewrap would not bound in number of files
bool stage(const std::vector<UniqueFd>& trees, const std::vector<std::string>& paths, const std::vector<bool>& folders,
           const std::string& scratch) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
  if (::mount("liftlock-stage", k_stage, "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=0755") != 0) return false;
  for (const auto* path : k_staged_scratch) {
    if (::mkdir(path, 0755) != 0 ||
        ::mount("liftlock-scratch", path, "tmpfs", MS_NOSUID | MS_NODEV, scratch.c_str()) != 0)
      return false;
  }
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const char* path = paths[i].c_str();
    const int made = folders[i] ? ::mkdir(path, 0755) : ::open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (made < 0 || ::move_mount(trees[i].get(), "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0) return false;
  }
  return true;
}

/// Its ends for reading and for writing.
std::pair<UniqueFd, UniqueFd> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe2");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// A pipe that is its own writer, so that whoever has it reads a byte that was written, and never its end: a sandbox
/// that waits for us does not take our death for the byte.
UniqueFd make_gate() {
  const auto [read, write] = make_pipe();
  return open_file(fmt::format("/proc/self/fd/{}", read.get()), O_RDWR | O_CLOEXEC);
}

/// Since Linux 5.14 RLIMIT_NPROC counts the processes of a user within the user namespace; before, those of all of the
/// machine, of which a desktop has more than an engine may.
bool counts_processes_by_namespace() {
  return is_linux_at_least(5, 14);
}

/// What bubblewrap says of itself (--info-fd): the process that is inside. nullopt: it ended before.
std::optional<pid_t> child_told_by(int pipe) {
  std::string text;
  char block[4096];
  while (text.size() < k_max_info) {
    const auto got = ::read(pipe, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  if (text.empty()) return std::nullopt;
  return static_cast<pid_t>(uint_member(parse_json(text), "child-pid", "bubblewrap's information"));
}

/// A tmpfs of that size, and not what the host has at this path.
bool is_own_tmpfs(int folder, const char* path, std::uint64_t bytes) {
  struct statfs found {};
  if (::fstatfs(folder, &found) != 0 || found.f_type != TMPFS_MAGIC) return false;
  const auto block = static_cast<std::uint64_t>(found.f_bsize);
  struct stat inside {
  }, host{};
  return found.f_blocks == (bytes + block - 1) / block && ::fstat(folder, &inside) == 0 &&
         (::stat(path, &host) != 0 || host.st_dev != inside.st_dev);
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  const rlimit both{value, value};
  ::setrlimit(resource, &both);
}

}  // namespace

Sandbox::Sandbox(SandboxSpec spec, Start start) : m_spec(std::move(spec)), m_is_root(::geteuid() == 0) {
  const bool is_watched = m_spec.deadly_calls == DeadlyCalls::end_all && DeadlyCallWatch::is_possible();
  if (start == Start::when_released || !m_is_root || is_watched) m_gate = make_gate();
  if (is_watched) m_watch = std::make_unique<DeadlyCallWatch>(m_gate.get());
  prepare_run_folder();
  try {
    begin();
    if (start == Start::at_once) release();
  } catch (...) {
    end();
    throw;
  }
}

Sandbox::~Sandbox() {
  end();
}

void Sandbox::end() {
  kill();
  if (m_keeper > 0) wait();
  if (m_mounted) ::umount2(m_spec.run_folder.c_str(), MNT_DETACH);
  // The number of the descriptor will be another one's.
  if (m_run_folder.valid()) ::unlink((m_spec.run_folder / k_link).c_str());
}

void Sandbox::prepare_run_folder() {
  if (m_spec.run_folder.empty()) return;
  make_folders(m_spec.run_folder);
  if (!m_is_root) return;
  // An engine that fills this folder must not fill the host's disk.
  const auto options = tmpfs_options(m_spec.run_bytes, k_run_files, "0700", m_user.id());
  if (::mount("liftlock-run", m_spec.run_folder.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options.c_str()) ==
      0) {
    m_mounted = true;
    return;
  }
  if (::chown(m_spec.run_folder.c_str(), m_user.id(), m_user.id()) != 0) fail_errno("chown the engine's run folder");
}

std::vector<std::string> Sandbox::bubblewrap_arguments(int seccomp_fd, int info_fd, const std::vector<UniqueFd>& binds,
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
  add({"--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--proc",
       "/proc", "--dev", "/dev"});
  for (std::size_t i = 0; i < k_scratch.size(); ++i) {
    if (staged)
      add({"--bind", k_staged_scratch[i], k_scratch[i]});
    else
      add({"--size", std::to_string(k_scratch_bytes), "--tmpfs", k_scratch[i]});
  }
  // It reads the same; but /dev/zero, mapped and shared, is memory that no limit counts.
  add({"--dev-bind", "/dev/full", "/dev/zero", "--remount-ro", "/dev", "--dir", "/run"});
  std::size_t next = 1;
  if (!m_spec.run_folder.empty() && !m_is_root)
    add({"--perms", "0700", "--size", std::to_string(m_spec.run_bytes), "--tmpfs", k_run});
  if (!m_spec.run_folder.empty() && m_is_root) add(bind("--bind", next++, k_run));
  for (const auto& [path, fd] : m_spec.files) add(bind("--ro-bind", next++, path));
  for (const auto& [path, fd] : m_spec.memory_files) add({"--symlink", fmt::format("/proc/self/fd/{}", fd), path});
  if (m_gate.valid()) add({"--block-fd", std::to_string(m_gate.get())});
  if (!m_is_root) add({"--info-fd", std::to_string(info_fd)});
  for (const auto& [key, value] : m_spec.environment) add({"--setenv", key, value});
  add({"--remount-ro", "/", "--chdir", "/", "--"});
  add(m_spec.argv);
  return out;
}

void Sandbox::begin() {
  const auto bubblewrap = find_program("bwrap");
  if (!bubblewrap)
    throw Error(ErrorCode::tool_missing, "bubblewrap is not installed", "install the package bubblewrap");
  const auto strict = engine_seccomp_program(DeadlyCallRule::end_their_process);
  const auto seccomp =
      engine_seccomp_program(m_watch ? DeadlyCallRule::left_to_a_watch : DeadlyCallRule::end_their_process);
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
  add_bind(open_file(m_spec.root / "usr", O_PATH | O_DIRECTORY), true);
  if (!m_spec.run_folder.empty() && m_is_root) add_bind(open_file(m_spec.run_folder, O_PATH | O_DIRECTORY), true);
  for (const auto& [path, fd] : m_spec.files) {
    add_bind(UniqueFd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), O_PATH | O_CLOEXEC)),
             S_ISDIR(stat_of(fd, path).st_mode));
  }
  const bool staged = m_is_root && std::all_of(trees.begin(), trees.end(), [](auto& fd) { return fd.valid(); });
  auto [info_read, info_write] = make_pipe();
  const auto scratch = tmpfs_options(k_scratch_bytes, k_scratch_files, "0755", m_user.id());
  auto arguments = bubblewrap_arguments(seccomp.get(), info_write.get(), binds, staged);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  char path_variable[] = "PATH=/usr/bin:/bin";
  char* environment[] = {path_variable, nullptr};
  const auto parent = ::getpid();
  auto [report_read, report_write] = make_pipe();

  m_keeper = ::fork();
  if (m_keeper < 0) fail_errno("fork");
  if (m_keeper > 0) {
    m_log->close_write_end();
    report_write.reset();
    info_write.reset();
    if (!m_is_root) m_info = std::move(info_read);
    if (m_watch) m_watch->begin(m_keeper);
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
  if (!m_is_root) ::fcntl(info_write.get(), F_SETFD, 0);
  // Staged, they are mounts that bubblewrap finds by their paths; it would leave the descriptors open, which lead
  // outside.
  if (!staged) {
    for (const auto& bind : binds) ::fcntl(bind.get(), F_SETFD, 0);
  }
  for (const auto& file : m_spec.memory_files) ::fcntl(file.second, F_SETFD, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, m_spec.max_file);
  if (m_spec.max_memory > 0) limit(RLIMIT_DATA, m_spec.max_memory);
  if (staged && !stage(trees, stage_paths, folders, scratch)) ::_exit(124);
  if (!become(m_user.id())) ::_exit(125);
  if (::geteuid() == m_user.id()) limit(RLIMIT_NPROC, m_spec.max_processes);
  // What makes these calls below us waits for the watch from here on; where it cannot be had, they are deadly again.
  if (m_watch && !m_watch->watch_this_process() && ::dup2(strict.get(), seccomp.get()) < 0) ::_exit(125);
  // Last of what opens: until exec closes them, a busy server's descriptors are here, and may be more.
  limit(RLIMIT_NOFILE, k_open_files);
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
  if (deadly_call()) m_status = 128 + SIGSYS;  // as if it had done it itself
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

/// What a user may start is limited once the user namespace is there: before, all that the user runs would count. And
/// the sandbox's own folders are bounded, and the shared one opened, while nothing runs that could fill or end them.
void Sandbox::take_hold() {
  const auto inside = child_told_by(m_info.get());
  m_info.reset();
  if (!inside) return;  // bubblewrap ended; poll() tells how
  rlimit processes{};
  if (counts_processes_by_namespace()) {
    if (::prlimit(*inside, RLIMIT_NPROC, nullptr, &processes) != 0 && errno != ESRCH)
      fail(ErrorCode::sandbox_unavailable, "the processes of a sandbox cannot be limited: {}", std::strerror(errno));
    processes.rlim_max = std::min<rlim_t>(processes.rlim_max, m_spec.max_processes);
    processes.rlim_cur = processes.rlim_max;
    if (::prlimit(*inside, RLIMIT_NPROC, &processes, nullptr) != 0 && errno != ESRCH)
      fail(ErrorCode::sandbox_unavailable, "the processes of a sandbox cannot be limited: {}", std::strerror(errno));
  }
  std::vector<TmpfsBound> bounds;
  for (const auto* path : k_scratch)
    bounds.push_back({.folder = own_folder(*inside, path, k_scratch_bytes), .files = k_scratch_files});
  if (!m_spec.run_folder.empty())
    bounds.push_back({.folder = own_folder(*inside, k_run, m_spec.run_bytes), .files = k_run_files});
  if (poll()) return;
  bound_files(*inside, bounds);
  if (m_spec.run_folder.empty()) return;
  m_run_folder = std::move(bounds.back().folder);
  fs::create_symlink(fmt::format("/proc/{}/fd/{}", ::getpid(), m_run_folder.get()), m_spec.run_folder / k_link);
}

UniqueFd Sandbox::own_folder(pid_t inside, const char* where, std::uint64_t bytes) {
  const auto path = fmt::format("/proc/{}/root{}", inside, where);
  const auto deadline = std::chrono::steady_clock::now() + k_setup_patience;
  while (!poll()) {
    UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    const int error = folder.valid() ? 0 : errno;
    // Until bubblewrap has made its root, that is the host's.
    if (folder.valid() && is_own_tmpfs(folder.get(), where, bytes)) return folder;
    if (error == EACCES || error == EPERM || std::chrono::steady_clock::now() > deadline)
      fail(ErrorCode::sandbox_unavailable, "the folder of a sandbox cannot be opened: {}",
           error == 0 ? "what is there is not the sandbox's own" : std::strerror(error));
    std::this_thread::sleep_for(k_setup_look);
  }
  return {};
}

std::vector<std::string> Sandbox::full_folders() const {
  std::vector<std::string> out;
  // bubblewrap itself is outside; the first that it started is inside, and its own.
  for (const auto inside : children_of(m_pid)) {
    for (const auto* where : k_scratch) {
      const auto path = fmt::format("/proc/{}/root{}", inside, where);
      const UniqueFd folder(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      struct statfs found {};
      if (!folder.valid() || !is_own_tmpfs(folder.get(), where, k_scratch_bytes)) continue;
      if (::fstatfs(folder.get(), &found) != 0) continue;
      if (found.f_bfree == 0 || (found.f_files != 0 && found.f_ffree == 0)) out.emplace_back(where);
    }
  }
  return out;
}

fs::path Sandbox::run_folder() const {
  return m_run_folder.valid() ? m_spec.run_folder / k_link : m_spec.run_folder;
}

void Sandbox::release() {
  if (m_info.valid()) take_hold();
  if (m_gate.valid() && m_watch)
    m_watch->release();
  else if (m_gate.valid())
    write_all(m_gate.get(), std::string_view("x"), "the gate of the sandbox");
  m_gate.reset();
}

bool Sandbox::is_watched() const {
  return m_watch && m_watch->is_at_work();
}

std::optional<std::string> Sandbox::deadly_call() const {
  return m_watch ? m_watch->found() : std::nullopt;
}

void Sandbox::kill() {
  if (m_keeper > 0) ::kill(m_keeper, SIGTERM);
}

void require_sandbox() {
  const RunFolder work("probe");
  SandboxSpec spec;
  spec.root = work.path() / "root";
  spec.run_folder = work.path() / "run";
  const auto log = spec.log = work.path() / "log";
  make_folders(spec.root / "usr");
  // Starting the program is the last that bubblewrap does: where only that fails, all the rest went well.
  spec.argv = {"/usr/none"};
  Sandbox(std::move(spec)).wait();
  const auto said = read_file(log, k_max_probe_log);
  const auto lines = trim(said);
  const auto last = lines.substr(lines.rfind('\n') + 1);
  if (!last.starts_with("bwrap: execvp "))
    fail(ErrorCode::sandbox_unavailable, "no sandbox can be set up here: {}", printable(last));
}

}  // namespace liftlock
