// Stands between a program and libc, by LD_PRELOAD: the Nth write to a regular file of each process that asks for two
// bytes or more gets half of them, as POSIX allows and file systems do (a signal, a network, a disk that was nearly
// full).
//
//   LIFTLOCK_SHORT_WRITE=N       which one
//   LIFTLOCK_SHORT_WRITE_LOG     a file that exists; it gets a line when it came to that
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstdlib>
#include <cstring>

// <unistd.h> has these under names that depend on the size of off_t.
extern "C" {
long syscall(long number, ...) noexcept;
ssize_t write(int fd, const void* from, size_t size);
ssize_t pwrite(int fd, const void* from, size_t size, off_t at);
ssize_t pwrite64(int fd, const void* from, size_t size, off_t at);
}

namespace {

long g_which = 0;
long g_count = 0;
int g_log = -1;

__attribute__((constructor)) void begin() {
  const char* which = std::getenv("LIFTLOCK_SHORT_WRITE");
  const char* log = std::getenv("LIFTLOCK_SHORT_WRITE_LOG");
  if (which == nullptr || log == nullptr) return;
  g_log = open(log, O_WRONLY | O_APPEND | O_CLOEXEC);
  g_which = std::atol(which);
}

/// How much of it is written.
size_t allowed(int fd, size_t size, const char* call) {
  if (g_which == 0 || size < 2) return size;
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return size;
  if (__atomic_add_fetch(&g_count, 1, __ATOMIC_RELAXED) != g_which) return size;
  syscall(SYS_write, g_log, call, std::strlen(call));
  return size / 2;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* from, size_t size) {
  return syscall(SYS_write, fd, from, allowed(fd, size, "write\n"));
}

ssize_t pwrite64(int fd, const void* from, size_t size, off_t at) {
  return syscall(SYS_pwrite64, fd, from, allowed(fd, size, "pwrite\n"), at);
}

ssize_t pwrite(int fd, const void* from, size_t size, off_t at) {
  return pwrite64(fd, from, size, at);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  const auto now = allowed(fd, size, "writev\n");
  if (now == size) return syscall(SYS_writev, fd, parts, count);
  for (int i = 0; i < count; ++i) {  // of the first part that has two bytes
    if (parts[i].iov_len > 1) return syscall(SYS_write, fd, parts[i].iov_base, parts[i].iov_len / 2);
    if (parts[i].iov_len == 1) return syscall(SYS_write, fd, parts[i].iov_base, 1);
  }
  return 0;
}
}
