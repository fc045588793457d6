#include "store/blob_store.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>
#include <vector>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/rel_path.hpp"
#include "base/text.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

constexpr const char* k_list = "sealed";
constexpr std::string_view k_lock_suffix = ".lock";
constexpr std::uint64_t k_max_list = 256u << 20;
constexpr std::size_t k_max_left = 10'000'000;
constexpr std::size_t k_few_folders = 8;
constexpr std::size_t k_many_lines = 16u << 10;
constexpr auto k_moment = std::chrono::milliseconds(100);

std::string checked_batch(std::string_view batch) {
  if (batch.empty() || batch.starts_with('.') || batch.ends_with(k_lock_suffix) || batch.ends_with(".tmp") ||
      batch.size() > 150 || portable_component(batch) != batch) {
    fail(ErrorCode::internal, "'{}' is no name for a batch of blobs", printable(batch));
  }
  return std::string(batch);
}

std::uint64_t next_opening() {
  static std::atomic<std::uint64_t> count{0};
  return ++count;
}

/// Names are of the caller's choice (addresses, say): their digest stands for them.
std::string named_part(std::string_view name) {
  return "named-" + sha256(name).hex();
}

void unlink_if_there(int folder, const std::string& name) {
  if (::unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) fail_errno(fmt::format("remove {}", name));
}

/// Its name is not synced: a batch that a power failure takes is staged again, and commit() syncs all that it is of.
fs::path made(fs::path folder) {
  make_folders(folder.parent_path());
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) fail_errno("mkdir " + printable(folder.string()));
  return folder;
}

/// Gives the lock back at once: who wants to go on with the batch does not wait.
bool is_running(const fs::path& batch) {
  try {
    (void)FileLock::to_look(batch.string() + std::string(k_lock_suffix), "a batch");
    return false;
  } catch (const Error& problem) {
    if (problem.code() != ErrorCode::busy) throw;
    return true;
  }
}

void look_at(WaitingBatch& batch, const fs::path& folder) {
  batch.touched = Timestamp(std::chrono::seconds(stat_of(open_folder(folder).get(), batch.name).st_mtime));
  for (const auto& file : walk(folder, k_max_left)) batch.size += static_cast<std::uint64_t>(file.status.st_size);
}

}  // namespace

StagedBlobs::StagedBlobs(BlobStore& store, std::string_view batch)
    : m_store(store),
      m_folder(store.folder() / "staging" / checked_batch(batch)),
      m_lock(lock_batch(store, batch, FileLock::Wait::no)),
      m_fd(open_folder(made(m_folder))),
      m_opened(next_opening()) {
  resume();
}

StagedBlobs::~StagedBlobs() {
  try {
    if (!m_ended) write_list();
  } catch (const std::exception&) {
    // Then a later run stages those files again.
  }
  if (m_ended) m_lock.remove();
}

// What an earlier run wrote was not synced: after a power cut a file may have its name and its size, but not its bytes;
// and after a write-back that failed the page cache still shows bytes that the disk never got. So it is synced, dropped
// from the cache, and read from the disk; only its digest tells.
void StagedBlobs::resume() {
  if (const auto left = walk(m_folder, k_max_left); !left.empty()) {
    sync_or_discard();
    for (const auto& file : left) {
      const auto fd = open_file_if_exists(m_folder / file.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (fd) ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);
    }
  }
  const auto list = m_folder / k_list;
  std::vector<Digest> listed;
  if (fs::exists(list)) {
    const auto text = read_file(list, k_max_list);
    std::set<Digest> known;
    for (const auto line : split(text, '\n')) {
      const auto digest = Digest::try_parse("sha256:" + std::string(line));
      if (digest && known.insert(*digest).second) listed.push_back(*digest);
    }
  }
  std::vector<std::uint8_t> good(listed.size());
  parallel_for(listed.size(), [&](std::size_t i) {
    const auto fd = open_file_if_exists(m_folder / listed[i].hex(), O_RDONLY | O_NOFOLLOW);
    if (!fd) return;
    good[i] = sha256_of_file(fd->get(), listed[i].text()) == listed[i] ? 1 : 0;
    if (good[i] == 0) unlink_if_there(m_fd.get(), listed[i].hex());
  });
  unlink_if_there(m_fd.get(), k_list);
  m_list = open_file(list, O_WRONLY | O_CREAT | O_APPEND | O_EXCL);
  std::string kept;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    if (good[i] == 0) continue;
    m_sealed.insert(listed[i]);
    kept += listed[i].hex() + "\n";
  }
  if (!kept.empty()) write_all(m_list.get(), kept, list.string());
}

bool StagedBlobs::has(const Digest& digest) const {
  return is_sealed(digest) || m_store.contains(digest);
}

bool StagedBlobs::is_sealed(const Digest& digest) const {
  const std::lock_guard lock(m_mutex);
  return m_sealed.contains(digest);
}

// Born with mode 0444, so that sealing needs no chmod; the descriptor may write all the same.
UniqueFd StagedBlobs::create_part(const std::string& file, Open open) {
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::openat(m_fd.get(), file.c_str(), flags, 0444);
  if (fd < 0 && errno == EEXIST && open == Open::empty) {
    unlink_if_there(m_fd.get(), file);
    fd = ::openat(m_fd.get(), file.c_str(), flags, 0444);
  } else if (fd < 0 && errno == EEXIST) {
    if (::fchmodat(m_fd.get(), file.c_str(), 0644, 0) != 0) fail_errno(fmt::format("chmod {}", file));
    fd = ::openat(m_fd.get(), file.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (::fchmod(fd, 0444) != 0 || ::lseek(fd, 0, SEEK_END) < 0)) fail_errno(fmt::format("chmod {}", file));
  }
  if (fd < 0) fail_errno(fmt::format("create {}/{}", printable(m_folder.string()), file));
  return UniqueFd(fd);
}

UniqueFd StagedBlobs::create(const Digest& expected, Open open) {
  {
    const std::lock_guard lock(m_mutex);
    m_sealed.erase(expected);
  }
  return create_part(expected.hex(), open);
}

std::uint64_t StagedBlobs::size_of(const std::string& file) const {
  struct stat status {};
  if (::fstatat(m_fd.get(), file.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return static_cast<std::uint64_t>(status.st_size);
  }
  if (errno != ENOENT) fail_errno(fmt::format("stat {}", file));
  return 0;
}

std::uint64_t StagedBlobs::part_size(const Digest& expected) const {
  return size_of(expected.hex());
}
std::uint64_t StagedBlobs::named_size(std::string_view name) const {
  return size_of(named_part(name));
}

// The file is in its place already: the line in the list is what makes it a staged blob for a later run. A run that is
// killed loses the lines of a moment, and its successor stages those few files again.
void StagedBlobs::note_sealed(const Digest& digest) {
  const std::lock_guard lock(m_mutex);
  m_unlisted += digest.hex() + "\n";
  m_sealed.insert(digest);
  if (m_unlisted.size() >= k_many_lines || std::chrono::steady_clock::now() - m_listed_at >= k_moment) write_list();
}

/// Called with the lock held.
void StagedBlobs::write_list() {
  write_all(m_list.get(), m_unlisted, k_list);
  m_unlisted.clear();
  m_listed_at = std::chrono::steady_clock::now();
}

void StagedBlobs::seal(const Digest& expected, const Digest& actual) {
  if (expected != actual) {
    unlink_if_there(m_fd.get(), expected.hex());
    fail(ErrorCode::digest_mismatch, "expected {}, got {}", expected.text(), actual.text());
  }
  note_sealed(expected);
}

UniqueFd StagedBlobs::open(const Digest& digest) const {
  if (!is_sealed(digest)) return m_store.open(digest);
  const int fd = ::openat(m_fd.get(), digest.hex().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail_errno(fmt::format("open the staged {}", digest.text()));
  return UniqueFd(fd);
}

void StagedBlobs::link_to(int folder, const std::string& name, const Digest& digest) const {
  const bool staged = is_sealed(digest);
  const auto from = staged ? digest.hex() : m_store.path(digest).string();
  if (::linkat(staged ? m_fd.get() : AT_FDCWD, from.c_str(), folder, name.c_str(), 0) != 0) {
    fail_errno(fmt::format("link {}", digest.text()));
  }
}

UniqueFd StagedBlobs::create_named(std::string_view name, Open open) {
  return create_part(named_part(name), open);
}

void StagedBlobs::seal_named(std::string_view name, const Digest& actual) {
  if (::renameat(m_fd.get(), named_part(name).c_str(), m_fd.get(), actual.hex().c_str()) != 0) {
    fail_errno(fmt::format("rename the part of {}", printable(name)));
  }
  note_sealed(actual);
}

void StagedBlobs::sync_or_discard() {
  try {
    sync_file_system(m_fd.get(), m_folder.string());
  } catch (const Error&) {
    remove_folder();
    throw;
  }
}

void StagedBlobs::commit() {
  StagedBlobs* const self = this;
  commit_all({&self, 1});
}

void StagedBlobs::commit_all(std::span<StagedBlobs* const> batches) {
  if (batches.empty()) return;
  std::vector<std::unique_lock<std::mutex>> locks;
  for (auto* batch : batches) locks.emplace_back(batch->m_mutex);
  // The kernel tells a descriptor of failed writes since it was opened, but for those that somebody else was told of
  // before: only the oldest descriptor knows of what each of the batches wrote.
  const auto& first =
      **std::min_element(batches.begin(), batches.end(), [](auto* a, auto* b) { return a->m_opened < b->m_opened; });
  // Also when nothing is staged: a run that was killed may have renamed blobs into their places and not synced those.
  try {
    sync_file_system(first.m_fd.get(), first.m_folder.string());
  } catch (const Error&) {
    for (auto* batch : batches) batch->remove_folder();
    throw;
  }
  std::set<fs::path> folders;
  for (const auto* batch : batches) {
    for (const auto& digest : batch->m_sealed) {
      batch->m_store.adopt(batch->m_fd.get(), digest.hex(), digest);
      folders.insert(batch->m_store.place(digest).parent_path());
    }
  }
  // Each fsync of a folder makes the disk flush its cache.
  if (folders.size() > k_few_folders) {
    sync_file_system(first.m_fd.get(), first.m_folder.string());
  } else {
    for (const auto& folder : folders) sync_folder(folder);
  }
  for (auto* batch : batches) batch->remove_folder();
}

void StagedBlobs::discard() {
  const std::lock_guard lock(m_mutex);
  remove_folder();
}

void StagedBlobs::remove_folder() {
  m_sealed.clear();
  m_unlisted.clear();
  m_list.reset();
  remove_tree(m_folder);
  m_ended = true;
}

FileLock lock_batch(const BlobStore& store, std::string_view name, FileLock::Wait wait) {
  return {store.folder() / "staging" / (portable_component(name) + std::string(k_lock_suffix)),
          fmt::format("work on the batch '{}'", printable(name)), wait};
}

void discard_batch(const BlobStore& store, std::string_view batch) {
  remove_tree(store.folder() / "staging" / checked_batch(batch));
}

std::vector<WaitingBatch> waiting_batches(const BlobStore& store) {
  std::vector<WaitingBatch> batches;
  std::error_code error;
  fs::directory_iterator entries(store.folder() / "staging", error);
  for (const auto end = fs::directory_iterator(); !error && entries != end; entries.increment(error)) {
    if (!entries->is_directory(error)) continue;
    const auto& folder = entries->path();
    WaitingBatch batch{.name = folder.filename().string(), .size = 0, .touched = {}, .running = is_running(folder)};
    try {
      if (!batch.running) look_at(batch, folder);
    } catch (const Error&) {
      // Somebody took it up since: files go while they are counted, and the folder once it is committed.
      std::error_code none;
      if (!fs::exists(folder, none)) continue;
      batch.running = is_running(folder);
      if (!batch.running) throw;
    }
    batches.push_back(std::move(batch));
  }
  if (error) fail_errno("read the staging folder", error.value());
  return batches;
}

}  // namespace liftlock
