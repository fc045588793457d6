// A hostile engine: tries to leave the sandbox in every way it knows, says what became of each, and fails when one
// succeeded. Static, so that it runs with any engine's root. Traffic, were any possible, would go to loopback only.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int g_escapes = 0;

void told(const char* what, bool succeeded) {
  std::printf("%-48s %s\n", what, succeeded ? "SUCCEEDED" : std::strerror(errno));
  if (succeeded) ++g_escapes;
}

/// The same of what ends who does it, in a child.
void told_of_child(const char* what, bool (*act)()) {
  const auto child = fork();
  if (child == 0) _exit(act() ? 0 : errno);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return told(what, false);
  errno = WEXITSTATUS(status);
  if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) return told(what, errno == 0);
  std::printf("%-48s %s\n", what, "ended for it");
}

bool holds_descriptors() {
  errno = EBADF;
  for (int fd = 3; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) return true;
  }
  return false;
}

bool connects(int fd, const void* address, std::size_t size) {
  if (fd < 0) return false;
  const bool connected = connect(fd, static_cast<const sockaddr*>(address), static_cast<socklen_t>(size)) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  return connected;
}

sockaddr_in loopback(int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return out;
}

bool connects_to_port(int port) {
  const auto to = loopback(port);
  return connects(socket(AF_INET, SOCK_STREAM, 0), &to, sizeof to);
}

/// Such names have no file: whoever shares the host's network namespace has them.
bool connects_to_abstract(const char* name) {
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::snprintf(to.sun_path + 1, sizeof to.sun_path - 1, "%s", name);
  return connects(socket(AF_UNIX, SOCK_STREAM, 0), &to, sizeof(sa_family_t) + 1 + std::strlen(name));
}

/// A loopback refuses at once what nobody listens for; what is not refused was taken.
bool sends_datagram(int port) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  const auto to = loopback(port);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 || send(fd, "x", 1, 0) != 1)
    return false;
  pollfd refusal{fd, POLLIN, 0};
  if (poll(&refusal, 1, 10'000) == 0) return true;
  char byte = 0;
  return recv(fd, &byte, 1, 0) >= 0;
}

bool opens(const char* path, int flags) {
  const int fd = open(path, flags, 0600);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/// Writes until it fails; "succeeded" means that more than the cap went in.
bool fills(const char* path, long long cap) {
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) return false;
  static char block[65536];
  long long written = 0;
  while (written <= cap) {
    const auto put = write(fd, block, sizeof block);
    if (put <= 0) break;
    written += put;
  }
  const int error = errno;
  close(fd);
  unlink(path);
  errno = error;
  return written > cap;
}

/// Makes empty files until it may not, or there are more than that; removes them again.
bool litters(const char* folder, int most) {
  char path[64];
  int count = 0;
  int error = 0;
  for (; count <= most; ++count) {
    std::snprintf(path, sizeof path, "%s/litter-%d", folder, count);
    if (opens(path, O_WRONLY | O_CREAT | O_EXCL)) continue;
    error = errno;
    break;
  }
  for (int i = 0; i < count; ++i) {
    std::snprintf(path, sizeof path, "%s/litter-%d", folder, i);
    unlink(path);
  }
  errno = error;
  return count > most;
}

/// The same with several files, none of which is too large by itself.
bool hoards(const char* folder, long long cap) {
  constexpr long long k_file = 16 << 20;
  static char block[65536];
  char path[64];
  long long written = 0;
  int error = 0, files = 0;
  while (written <= cap && error == 0) {
    std::snprintf(path, sizeof path, "%s/hoard%d", folder, files++);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (long long in_file = 0; fd >= 0 && in_file < k_file; in_file += static_cast<long long>(sizeof block)) {
      const auto put = write(fd, block, sizeof block);
      if (put <= 0) break;
      written += put;
      errno = 0;
    }
    error = errno;
    if (fd >= 0) close(fd);
  }
  for (int i = 0; i < files; ++i) {
    std::snprintf(path, sizeof path, "%s/hoard%d", folder, i);
    unlink(path);
  }
  errno = error;
  return written > cap;
}

/// Forks until it may not, or has more children than that; ends them again.
bool bombs(int most) {
  static pid_t children[4096];
  int count = 0;
  int error = 0;
  while (count <= most && count < 4096) {
    const auto child = fork();
    if (child == 0) {
      pause();
      _exit(0);
    }
    if (child < 0) {
      error = errno;
      break;
    }
    children[count++] = child;
  }
  for (int i = 0; i < count; ++i) kill(children[i], SIGKILL);
  for (int i = 0; i < count; ++i) waitpid(children[i], nullptr, 0);
  errno = error;
  return count > most;
}

/// Takes all of its bounds that can be seen from outside, and keeps it: bytes of one folder, files of another,
/// processes.
void use_up() {
  static char block[65536];
  for (int i = 0; i < 8; ++i) {
    char path[64];
    std::snprintf(path, sizeof path, "/tmp/used-up-%d", i);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int n = 0; n < 256 && write(fd, block, sizeof block) > 0; ++n) continue;
    close(fd);
  }
  for (int i = 0; i < 5000; ++i) {
    char path[64];
    std::snprintf(path, sizeof path, "/dev/shm/used-up-%d", i);
    if (!opens(path, O_WRONLY | O_CREAT)) break;
  }
  for (int i = 0; i < 1000; ++i) {
    const auto child = fork();
    if (child < 0) break;
    while (child == 0) pause();
  }
}

/// Eats memory until it may not.
bool eats(std::size_t most) {
  constexpr std::size_t k_piece = 64u << 20;
  for (std::size_t eaten = 0; eaten <= most; eaten += k_piece) {
    if (mmap(nullptr, k_piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return false;
  }
  return true;
}

/// A child in namespaces of its own, by a system call of that name; it ends at once.
bool clones(int flags) {
  const auto child = syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) _exit(0);
  if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
  return child > 0;
}

bool clones3(std::uint64_t flags) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  const auto child = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) _exit(0);
  if (child > 0) waitpid(static_cast<pid_t>(child), nullptr, 0);
  return child > 0;
}

/// Its own would do: who may set one may set others.
bool joins(const char* name_space) {
  const int fd = open(name_space, O_RDONLY);
  return fd >= 0 && setns(fd, 0) == 0;
}

bool queues_signal(pid_t process) {
  siginfo_t info{};
  info.si_code = SI_QUEUE;
  return syscall(SYS_rt_sigqueueinfo, process, 0, &info) == 0;
}

void reach_other_processes(pid_t outside) {
  told("signal a process outside", kill(outside, 0) == 0);
  told("signal a thread outside", syscall(SYS_tgkill, outside, outside, 0) == 0);
  told("queue a signal for a process outside", queues_signal(outside));
  told("open a process outside", syscall(SYS_pidfd_open, outside, 0) >= 0);
}

bool maps(int flags, int fd = -1) {
  return mmap(nullptr, 1u << 20, PROT_READ | PROT_WRITE, flags, fd, 0) != MAP_FAILED;
}

/// Memory that stays without being mapped, or that is not counted while it is.
void hold_uncounted_memory() {
  told("make a file in memory", memfd_create("leave", 0) >= 0);
  told("make a secret file in memory", syscall(SYS_memfd_secret, 0) >= 0);
  told("make System V shared memory", shmget(IPC_PRIVATE, 4096, 0600) >= 0);
  told("make System V messages", msgget(IPC_PRIVATE, 0600) >= 0);
  told("make System V semaphores", semget(IPC_PRIVATE, 1, 0600) >= 0);
  told("make a POSIX message queue", mq_open("/leave", O_RDWR | O_CREAT, 0600, nullptr) >= 0);
  told("map shared memory without a file", maps(MAP_SHARED | MAP_ANONYMOUS));
  told("map /dev/zero as shared memory", maps(MAP_SHARED, open("/dev/zero", O_RDWR)));
  told("map memory that grows like a stack", maps(MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN));
  told("hold more than 64 MiB in /dev/shm", hoards("/dev/shm", 64 << 20));
}

void call(const char* name) {
  if (std::strcmp(name, "mount") == 0) mount("none", "/tmp", "tmpfs", 0, nullptr);
  if (std::strcmp(name, "ptrace") == 0) ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  if (std::strcmp(name, "bpf") == 0) syscall(SYS_bpf, 0, nullptr, 0);
  if (std::strcmp(name, "setns") == 0) joins("/proc/self/ns/net");
}

/// A grandchild makes the call, and the others live on: of its end alone nobody outside hears.
int have_grandchild_call(const char* name) {
  if (fork() == 0) {
    if (fork() == 0) {
      call(name);
      _exit(0);
    }
    wait(nullptr);
    _exit(0);
  }
  wait(nullptr);
  std::puts("and I go on");
  std::fflush(stdout);
  while (true) pause();
}

}  // namespace

// Usage: try_leave --grandchild CALL: mount, ptrace, bpf or setns, by a process that is not the engine; it goes on.
// Usage: try_leave [PORT [SOCKET [PROCESS [BYTES [DATAGRAMS NAME]]]]]. PORT: of the host, where a server listens;
// DATAGRAMS: one that takes datagrams; NAME: an abstract socket of the host. SOCKET: of the host, to which the engine's
// own is made to lead. PROCESS: one outside, that is signalled.
int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 3 && std::strcmp(argv[1], "--grandchild") == 0) return have_grandchild_call(argv[2]);
  signal(SIGXFSZ, SIG_IGN);  // a file that is too large is an error like others
  const int port = argc > 1 ? std::atoi(argv[1]) : 80;
  told("hold a descriptor of who started it", holds_descriptors());
  told("connect to a server on the host's loopback", connects_to_port(port));
  if (argc > 6) {
    told("send to the host's loopback", sends_datagram(std::atoi(argv[5])));
    told("connect to an abstract socket of the host", connects_to_abstract(argv[6]));
  }
  told("open a netlink socket", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
  told("open a packet socket", socket(AF_PACKET, SOCK_RAW, 0) >= 0);
  told("read the host's /etc/passwd", opens("/etc/passwd", O_RDONLY));
  told("read the host's /etc/shadow", opens("/etc/shadow", O_RDONLY));
  told("write into the root", opens("/leave", O_WRONLY | O_CREAT));
  told("write into the engine's own files", opens("/usr/leave", O_WRONLY | O_CREAT));
  told_of_child("mount a file system", [] { return mount("none", "/tmp", "tmpfs", 0, nullptr) == 0; });
  told("make a user namespace", unshare(CLONE_NEWUSER) == 0);
  told("make a network namespace", unshare(CLONE_NEWNET) == 0);
  told("clone into a user namespace", clones(CLONE_NEWUSER));
  told("clone into a network namespace", clones(CLONE_NEWNET));
  told("clone3 into a user namespace", clones3(CLONE_NEWUSER));
  told_of_child("join a network namespace", [] { return joins("/proc/self/ns/net"); });
  told_of_child("join a mount namespace", [] { return joins("/proc/1/ns/mnt"); });
  told_of_child("trace another process", [] { return ptrace(PTRACE_ATTACH, 1, nullptr, nullptr) == 0; });
  told("set up io_uring", syscall(SYS_io_uring_setup, 8, nullptr) >= 0);
  told_of_child("load a BPF program", [] { return syscall(SYS_bpf, 0, nullptr, 0) >= 0; });
  told_of_child("load a module of the kernel", [] { return syscall(SYS_init_module, nullptr, 0, "") == 0; });
  told_of_child("start another kernel", [] { return syscall(SYS_kexec_load, 0, 0, nullptr, 0) == 0; });
  told("become root", setuid(0) == 0 && opens("/usr/leave", O_WRONLY | O_CREAT));
  // But for itself and what started it inside there is nobody.
  told("signal whoever can be signalled", kill(-1, 0) == 0);
  if (argc > 3) reach_other_processes(static_cast<pid_t>(std::atoi(argv[3])));
  if (argc > 4) told("map more memory than it may have", eats(std::strtoull(argv[4], nullptr, 10)));
  hold_uncounted_memory();
  told("fill more than 64 MiB of its own /tmp", fills("/tmp/fill", 64 << 20));
  told("make more than 4096 files in its own /tmp", litters("/tmp", 4096));
  told("make more than 4096 files in /dev/shm", litters("/dev/shm", 4096));
  told("start more than 512 processes", bombs(512));
  told("fill more than 1 MiB of the shared folder", fills("/run/liftlock/fill", 1 << 20));
  unlink("/run/liftlock/fill");
  told("make more than 64 files in the shared folder", litters("/run/liftlock", 64));
  if (argc > 2 && symlink(argv[2], "/run/liftlock/engine.sock") != 0) told("lead its own socket elsewhere", false);
  if (argc > 2) use_up();
  std::printf("%d ways out\n", g_escapes);
  std::fflush(stdout);
  if (argc > 2) pause();  // whoever started us looks at what we left
  return g_escapes == 0 ? 0 : 1;
}
