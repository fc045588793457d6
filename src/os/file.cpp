#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

std::string temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return fmt::format(".{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter.fetch_add(1));
}

std::optional<std::string> parent_folder(const RelPath& path) {
  const auto parent = path.parent();
  if (parent.empty()) return std::nullopt;
  return std::string(parent);
}

int open_at_beneath(int folder, const char* path, std::uint64_t flags, mode_t mode) {
  struct open_how how {};
  how.flags = flags | O_CLOEXEC;
  how.mode = (flags & O_CREAT) != 0 ? mode : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  while (true) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, folder, path, &how, sizeof how));
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return fd;
  }
}

}  // namespace

void UniqueFd::reset() {
  if (m_fd >= 0) ::close(std::exchange(m_fd, -1));
}

UniqueFd open_file(const fs::path& path, int flags, mode_t mode) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
    throw Error(ErrorCode::not_found, fmt::format("'{}' does not exist", printable(path.string())), "check the path");
  }
  if (fd < 0) fail_errno(fmt::format("open {}", printable(path.string())));
  return UniqueFd(fd);
}

std::optional<UniqueFd> open_file_if_exists(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (fd < 0) fail_errno(fmt::format("open {}", printable(path.string())));
  return UniqueFd(fd);
}

UniqueFd open_folder(const fs::path& path) {
  return open_file(path, O_RDONLY | O_DIRECTORY);
}

std::optional<UniqueFd> open_beneath(int folder, const RelPath& path, int flags, mode_t mode) {
  const int fd = open_at_beneath(folder, path.text().c_str(), static_cast<std::uint64_t>(flags), mode);
  if (fd >= 0) return UniqueFd(fd);
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  if (errno == ELOOP || errno == EXDEV) fail(ErrorCode::not_regular, "'{}' leads through a link", path.text());
  fail_errno(fmt::format("open {}", path.text()));
}

struct stat stat_of(int fd, std::string_view what) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) fail_errno(fmt::format("stat {}", what));
  return status;
}

std::uint64_t regular_size(int fd, std::string_view what) {
  const auto status = stat_of(fd, what);
  if (!S_ISREG(status.st_mode)) fail(ErrorCode::not_regular, "'{}' is no regular file", printable(what));
  return static_cast<std::uint64_t>(status.st_size);
}

std::string read_all(int fd, std::uint64_t max_bytes, std::string_view what) {
  std::string out;
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    constexpr std::uint64_t k_at_once = 64u << 20;
    out.reserve(std::min({static_cast<std::uint64_t>(status.st_size), max_bytes, k_at_once}));
  }
  // Special files such as those of /proc have no size: read until the end, whatever stat says.
  std::vector<char> buffer(64 * 1024);
  while (true) {
    const auto got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(out.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(fmt::format("read {}", printable(what)));
    if (got == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > max_bytes) {
      fail(ErrorCode::limit_exceeded, "'{}' is larger than {} bytes", printable(what), max_bytes);
    }
  }
}

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  // A FIFO in a file's place must not hang us.
  const auto fd = open_file(path, O_RDONLY | O_NONBLOCK);
  return read_all(fd.get(), max_bytes, path.string());
}

bool pread_exact(int fd, std::span<std::uint8_t> buffer, std::uint64_t offset, std::string_view what) {
  while (!buffer.empty()) {
    const auto got = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(fmt::format("read {}", printable(what)));
    if (got == 0) return false;
    buffer = buffer.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

void write_all(int fd, std::span<const std::uint8_t> bytes, std::string_view what) {
  while (!bytes.empty()) {
    const auto put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_errno(fmt::format("write {}", printable(what)));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
}

void write_all(int fd, std::string_view text, std::string_view what) {
  write_all(fd, as_bytes(text), what);
}

void sync_file(int fd, std::string_view what) {
  if (::fsync(fd) != 0) fail_errno(fmt::format("fsync {}", printable(what)));
}

void sync_folder(const fs::path& folder) {
  const auto fd = open_folder(folder);
  sync_file(fd.get(), folder.string());
}

void sync_file_system(int fd, std::string_view what) {
  if (::syncfs(fd) != 0) fail_errno(fmt::format("syncfs {}", printable(what)));
}

void make_folders(const fs::path& folder) {
  if (folder.empty() || fs::is_directory(folder)) return;
  const auto parent = folder.parent_path();
  if (parent != folder) make_folders(parent);
  if (::mkdir(folder.c_str(), 0755) != 0) {
    if (errno == EEXIST && fs::is_directory(folder)) return;
    fail_errno(fmt::format("mkdir {}", printable(folder.string())));
  }
  sync_folder(parent.empty() ? fs::path(".") : parent);
}

void make_parents_beneath(int folder, const RelPath& path) {
  const auto parent = parent_folder(path);
  if (!parent) return;
  if (const int fd = open_at_beneath(folder, parent->c_str(), O_RDONLY | O_DIRECTORY | O_PATH, 0); fd >= 0) {
    ::close(fd);
    return;
  }
  const auto above = RelPath::parse(*parent);
  make_parents_beneath(folder, above);
  const auto grandparent = above.parent();
  const UniqueFd base(grandparent.empty()
                          ? ::fcntl(folder, F_DUPFD_CLOEXEC, 0)
                          : open_at_beneath(folder, std::string(grandparent).c_str(), O_RDONLY | O_DIRECTORY, 0));
  if (!base.valid()) fail_errno(fmt::format("open the folder of {}", path.text()));
  if (::mkdirat(base.get(), std::string(above.filename()).c_str(), 0755) != 0 && errno != EEXIST) {
    fail_errno(fmt::format("mkdir {}", above.text()));
  }
}

void rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail_errno(fmt::format("rename {} to {}", printable(from.string()), printable(to.string())));
  }
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail_errno(fmt::format("remove {}", printable(path.string())), error.value());
}

namespace {

/// A rename would put a file in the place of /dev/full, or of a pipe that somebody reads.
fs::path require_replaceable(fs::path path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::usage, fmt::format("'{}' is no file that could be replaced", printable(path.string())),
                "name a file; what goes to standard output can be redirected");
  }
  return path;
}

}  // namespace

AtomicFile::AtomicFile(fs::path path, mode_t mode)
    : m_path(require_replaceable(std::move(path))),
      m_temporary(m_path.parent_path() / temporary_name(m_path)),
      m_fd(::open(m_temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode)) {
  if (m_fd.valid()) return;
  // The temporary name means nothing to whoever reads this.
  const auto shown = printable(m_path.string());
  if (errno == ENOENT || errno == ENOTDIR) {
    throw Error(ErrorCode::not_found, fmt::format("the folder of '{}' does not exist", shown), "check the path");
  }
  fail_errno(fmt::format("write {}", shown));
}

AtomicFile::~AtomicFile() {
  if (m_fd.valid()) ::unlink(m_temporary.c_str());
}

void AtomicFile::write(std::string_view text) {
  write_all(m_fd.get(), text, m_path.string());
}

void AtomicFile::commit() {
  sync_file(m_fd.get(), m_path.string());
  rename_file(m_temporary, m_path);
  m_fd.reset();
  sync_folder(m_path.parent_path().empty() ? fs::path(".") : m_path.parent_path());
}

void write_file_atomically(const fs::path& path, std::string_view content, mode_t mode) {
  AtomicFile file(path, mode);
  file.write(content);
  file.commit();
}

void replace_symlink(const fs::path& target, const fs::path& link) {
  const auto temporary = link.parent_path() / temporary_name(link);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) fail_errno(fmt::format("symlink {}", temporary.string()));
  rename_file(temporary, link);
  sync_folder(link.parent_path());
}

namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

std::vector<WalkEntry> walk(const fs::path& folder, std::size_t max_entries) {
  std::vector<WalkEntry> entries;
  std::vector<std::string> todo{""};
  while (!todo.empty()) {
    const auto below = std::move(todo.back());
    todo.pop_back();
    const auto full = below.empty() ? folder : folder / below;
    const auto fail_read = [&] { fail_errno(fmt::format("read the folder {}", printable(full.string()))); };
    const std::unique_ptr<DIR, CloseFolder> children(::opendir(full.c_str()));
    if (!children) fail_read();
    const auto stat_of_child = [&](const char* name) {
      struct stat status {};
      if (::fstatat(::dirfd(children.get()), name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        fail_errno(fmt::format("stat {}", printable((full / name).string())));
      return status;
    };
    bool empty = true;
    while (true) {
      errno = 0;
      const auto* child = ::readdir(children.get());
      if (child == nullptr && errno != 0) fail_read();
      if (child == nullptr) break;
      const std::string_view name = child->d_name;
      if (name == "." || name == "..") continue;
      empty = false;
      WalkEntry entry{below.empty() ? std::string(name) : fmt::format("{}/{}", below, name),
                      stat_of_child(child->d_name)};
      if (S_ISDIR(entry.status.st_mode)) {
        todo.push_back(std::move(entry.path));
      } else {
        entries.push_back(std::move(entry));
      }
      if (entries.size() + todo.size() > max_entries) {
        fail(ErrorCode::limit_exceeded, "'{}' holds more than {} entries", printable(folder.string()), max_entries);
      }
    }
    if (empty && !below.empty()) entries.push_back({below, stat_of_child(".")});
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return entries;
}

std::uint64_t free_space(const fs::path& path) {
  struct statvfs status {};
  auto at = fs::absolute(path);
  while (::statvfs(at.c_str(), &status) != 0) {
    if (errno != ENOENT || at == at.parent_path()) fail_errno(fmt::format("statvfs {}", printable(at.string())));
    at = at.parent_path();
  }
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

bool is_mount_point(const fs::path& folder) {
  const auto device = [](const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) fail_errno(fmt::format("stat {}", printable(path.string())));
    return status.st_dev;
  };
  const auto absolute = fs::absolute(folder).lexically_normal();
  const auto below = absolute.has_filename() ? absolute : absolute.parent_path();
  return device(below) != device(below.parent_path());
}

bool is_on_read_only_mount(const fs::path& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) fail_errno(fmt::format("statvfs {}", printable(path.string())));
  return (status.f_flag & ST_RDONLY) != 0;
}

TemporaryFolder::TemporaryFolder(std::string_view prefix, const fs::path& parent) {
  auto pattern = ((parent.empty() ? fs::temp_directory_path() : parent) / fmt::format("{}.XXXXXX", prefix)).string();
  if (::mkdtemp(pattern.data()) == nullptr) fail_errno(fmt::format("mkdtemp {}", pattern));
  m_path = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

FileLock::FileLock(const fs::path& path, std::string_view what, Wait wait) : m_path(path) {
  while (true) {
    m_fd = open_file(path, O_RDWR | O_CREAT, 0600);
    while (::flock(m_fd.get(), LOCK_EX | (wait == Wait::no ? LOCK_NB : 0)) != 0) {
      if (errno == EINTR) continue;
      if (errno == EWOULDBLOCK) fail(ErrorCode::busy, "{} is under way in another process", what);
      fail_errno(fmt::format("lock {}", path.string()));
    }
    // The holder before us may have removed the file: then we hold a lock that nobody else will ever ask for.
    struct stat named {};
    const auto held = stat_of(m_fd.get(), path.string());
    if (::stat(path.c_str(), &named) == 0 && named.st_ino == held.st_ino && named.st_dev == held.st_dev) return;
  }
}

std::optional<FileLock> FileLock::to_look(const fs::path& path, std::string_view what) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && (errno == ENOENT || errno == EACCES)) return std::nullopt;
  if (!fd.valid()) fail_errno(fmt::format("open {}", printable(path.string())));
  if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return FileLock(path, std::move(fd));
  if (errno == EWOULDBLOCK) fail(ErrorCode::busy, "{} is under way in another process", what);
  fail_errno(fmt::format("lock {}", printable(path.string())));
}

void FileLock::remove() {
  ::unlink(m_path.c_str());
  m_fd.reset();
}

}  // namespace liftlock
