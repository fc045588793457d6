// A hostile engine: tries to leave the sandbox in every way it knows, says what became of each, and fails when one
// succeeded. Static, so that it runs with any engine's root. Traffic, were any possible, would go to loopback only.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

bool holds_descriptors() {
  errno = EBADF;
  for (int fd = 3; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) return true;
  }
  return false;
}

bool connects(const char* address, int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return false;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address, &to.sin_addr);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  const int error = errno;
  close(fd);
  errno = error;
  return connected;
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

/// Eats memory until it may not.
bool eats(std::size_t most) {
  constexpr std::size_t k_piece = 64u << 20;
  for (std::size_t eaten = 0; eaten <= most; eaten += k_piece) {
    if (mmap(nullptr, k_piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return false;
  }
  return true;
}

}  // namespace

// Usage: try_leave [PORT [SOCKET [user|root [PROCESS [BYTES]]]]]. SOCKET: of the host, to which the engine's own is
// made to lead. "user": who started us is not root, and what only root can bound is not tried. PROCESS: one outside,
// that is signalled.
int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  signal(SIGXFSZ, SIG_IGN);  // a file that is too large is an error like others
  const int port = argc > 1 ? std::atoi(argv[1]) : 80;
  const bool as_user = argc > 3 && std::strcmp(argv[3], "user") == 0;
  told("hold a descriptor of who started it", holds_descriptors());
  told("connect to a server on the host's loopback", connects("127.0.0.1", port));
  told("open a netlink socket", socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
  told("open a packet socket", socket(AF_PACKET, SOCK_RAW, 0) >= 0);
  told("read the host's /etc/passwd", opens("/etc/passwd", O_RDONLY));
  told("read the host's /etc/shadow", opens("/etc/shadow", O_RDONLY));
  told("write into the root", opens("/leave", O_WRONLY | O_CREAT));
  told("write into the engine's own files", opens("/usr/leave", O_WRONLY | O_CREAT));
  told("mount a file system", mount("none", "/tmp", "tmpfs", 0, nullptr) == 0);
  told("make a user namespace", unshare(CLONE_NEWUSER) == 0);
  told("make a network namespace", unshare(CLONE_NEWNET) == 0);
  told("trace another process", ptrace(PTRACE_ATTACH, 1, nullptr, nullptr) == 0);
  told("set up io_uring", syscall(SYS_io_uring_setup, 8, nullptr) >= 0);
  told("load a BPF program", syscall(SYS_bpf, 0, nullptr, 0) >= 0);
  told("become root", setuid(0) == 0 && opens("/usr/leave", O_WRONLY | O_CREAT));
  if (argc > 4) told("signal a process outside", kill(static_cast<pid_t>(std::atoi(argv[4])), 0) == 0);
  if (argc > 5) told("map more memory than it may have", eats(std::strtoull(argv[5], nullptr, 10)));
  told("fill more than 64 MiB of its own /tmp", fills("/tmp/fill", 64 << 20));
  if (!as_user) told("start more than 512 processes", bombs(512));
  if (!as_user) told("fill more than 1 MiB of the shared folder", fills("/run/liftlock/fill", 1 << 20));
  unlink("/run/liftlock/fill");
  if (argc > 2 && symlink(argv[2], "/run/liftlock/engine.sock") != 0) told("lead its own socket elsewhere", false);
  std::printf("%d ways out\n", g_escapes);
  std::fflush(stdout);
  if (argc > 2) pause();  // whoever started us looks at what we left
  return g_escapes == 0 ? 0 : 1;
}
