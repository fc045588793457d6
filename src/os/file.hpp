// Files and folders: opening beneath a folder, bounded reads, durable writes, atomic replacement.
// All functions throw Error{io_error, disk_full} for failed system calls; the message names the path.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/rel_path.hpp"
#include "os/fd.hpp"

namespace liftlock {

namespace fs = std::filesystem;

/// open(2) with O_CLOEXEC. mode is used when flags has O_CREAT.
UniqueFd open_file(const fs::path& path, int flags, mode_t mode = 0644);
/// nullopt only when the path does not exist.
std::optional<UniqueFd> open_file_if_exists(const fs::path& path, int flags);
/// A descriptor of the folder, for the *_beneath functions.
UniqueFd open_folder(const fs::path& path);

/// openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS: no component may be a link or leave the folder.
/// nullopt when the file does not exist. @throws Error{not_regular} when a component is a symlink.
std::optional<UniqueFd> open_beneath(int folder, const RelPath& path, int flags, mode_t mode = 0644);

/// fstat(2).
struct stat stat_of(int fd, std::string_view what);
/// The size of a regular file. @throws Error{not_regular} for anything else.
std::uint64_t regular_size(int fd, std::string_view what);

/// The whole file. @throws Error{not_found, limit_exceeded}
std::string read_file(const fs::path& path, std::uint64_t max_bytes);
/// The same from an open descriptor, from offset 0, without moving it.
std::string read_all(int fd, std::uint64_t max_bytes, std::string_view what);
/// Reads exactly size bytes at offset. false when the file ends before.
bool pread_exact(int fd, std::span<std::uint8_t> buffer, std::uint64_t offset, std::string_view what);
void write_all(int fd, std::span<const std::uint8_t> bytes, std::string_view what);
void write_all(int fd, std::string_view text, std::string_view what);

/// fsync(2). A failure is fatal and is never retried: the kernel may have dropped the pages.
void sync_file(int fd, std::string_view what);
/// fsync(2) of a folder: makes names that were created, renamed or removed in it durable.
void sync_folder(const fs::path& folder);
/// syncfs(2): everything of the file system that holds fd.
void sync_file_system(int fd, std::string_view what);

/// mkdir -p with mode 0755; new names are synced into their parents.
void make_folders(const fs::path& folder);
/// mkdir -p of path's parent beneath folder; not synced.
void make_parents_beneath(int folder, const RelPath& path);
/// rename(2).
void rename_file(const fs::path& from, const fs::path& to);
/// rm -rf without following links; absent is fine.
void remove_tree(const fs::path& path);

/// A file that appears whole or not at all: written beside its place under a temporary name, renamed by commit().
class AtomicFile {
 public:
  /// @throws Error{usage} where something else than a file stands at the path; Error{not_found, io_error}
  explicit AtomicFile(fs::path path, mode_t mode = 0644);
  /// Removes the temporary file if commit() was not called.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  int fd() const { return m_fd.get(); }
  void write(std::string_view text);
  /// fsync, rename over path, fsync of the folder.
  void commit();

 private:
  fs::path m_path;
  fs::path m_temporary;
  UniqueFd m_fd;
};

/// AtomicFile with all of the content at once.
void write_file_atomically(const fs::path& path, std::string_view content, mode_t mode = 0644);
/// Points the symlink `link` at target, atomically and durably.
void replace_symlink(const fs::path& target, const fs::path& link);

/// What a walk finds. Links and special files are reported, never followed.
struct WalkEntry {
  std::string path;  ///< relative to the folder, '/' between components, raw bytes
  struct stat status;
};
/// Everything below the folder that is not a folder itself, and every empty folder, sorted bytewise by path.
/// @param max_entries more is Error{limit_exceeded}
std::vector<WalkEntry> walk(const fs::path& folder, std::size_t max_entries);

/// Free bytes for an unprivileged writer on the file system that holds path (its nearest existing ancestor).
std::uint64_t free_space(const fs::path& path);

/// Is something mounted on this folder: is it on another file system than its parent? A bind mount is not told apart.
bool is_mount_point(const fs::path& folder);

/// Is path on a mount that is read-only (statvfs ST_RDONLY)?
bool is_on_read_only_mount(const fs::path& path);

/// A folder below the system's temporary folder (TMPDIR) that is removed with the object.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(std::string_view prefix = "liftlock", const fs::path& parent = {});
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const fs::path& path() const { return m_path; }

 private:
  fs::path m_path;
};

/// An exclusive flock(2) on a file that is created when missing; ends with the object or the process.
class FileLock {
 public:
  enum class Wait { no, yes };
  /// @throws Error{busy} with Wait::no when somebody else holds it; `what` names the work ("an ingest").
  FileLock(const fs::path& path, std::string_view what, Wait wait);

  /// For a look at what it guards, without writing: shared with other lookers, and nullopt where there is no such file
  /// or this user may not open it, so that somebody may take the lock meanwhile. @throws Error{busy}
  static std::optional<FileLock> to_look(const fs::path& path, std::string_view what);

  /// Removes the file and ends the lock. Whoever opened the file before notices, and locks its successor instead.
  void remove();

 private:
  FileLock(fs::path path, UniqueFd fd) : m_path(std::move(path)), m_fd(std::move(fd)) {}

  fs::path m_path;
  UniqueFd m_fd;
};

}  // namespace liftlock
