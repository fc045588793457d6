// Content-addressed files: blobs/sha256/ab/abcd… (mode 0444). A name is the SHA-256 of the bytes, always.
// Format: docs/formats/store.md. All members may be called from several threads and processes at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"
#include "store/references.hpp"

namespace liftlock {

class BlobCache;

/// What a low side's store refers to instead of holding it (references()) counts as contained while its file is what it
/// was. It can go, or be other bytes with the same identity, at any time: whoever needs the bytes hashes what it reads.
class BlobStore {
 public:
  /// @param folder created when missing, with its 256 folders and staging/; one that is whole is only read
  explicit BlobStore(fs::path folder);

  /// Held, or referred to.
  bool contains(const Digest& digest) const;
  /// Held as a file of its own.
  bool holds(const Digest& digest) const;
  std::optional<std::uint64_t> size(const Digest& digest) const;
  /// Read-only descriptor. @throws Error{not_found}; Error{upstream_changed} for a reference whose file is no longer
  /// what it was
  UniqueFd open(const Digest& digest) const;
  /// For who can only read by name: what is only referred to is copied into the store first.
  /// @throws Error{upstream_changed}
  fs::path path(const Digest& digest) const;
  const fs::path& folder() const { return m_folder; }

  References& references() { return *m_references; }
  const References& references() const { return *m_references; }

  /// Small content in one call: written, synced, renamed. No effect when it is there already. As with StagedBlobs,
  /// only a pin that is written before keeps gc from it until something references it.
  Digest put(std::span<const std::uint8_t> bytes);
  Digest put(std::string_view text);

  /// Makes durable what the store holds, also what a run that was killed put in its place and never synced.
  void sync() const;

  /// Calls visit for every blob, in no order. What stands between the blobs and is none is told to stray, with its
  /// path relative to folder(); without stray it is Error{store_invalid}. Blobs that come or go meanwhile may be
  /// missed.
  void for_each(const std::function<void(const Digest&, std::uint64_t size)>& visit,
                const std::function<void(const std::string& path)>& stray = {}) const;
  /// Removes one blob; absent is fine. Only gc calls this, inside Catalog::remove_unreferenced().
  void remove(const Digest& digest);
  /// Moves a blob whose bytes are not what its name says to quarantine/HEX and returns that path.
  fs::path quarantine(const Digest& digest);

  /// The cache that answers to clients go through, where a server gave one (see ecosystem/route.hpp). Set before
  /// threads start; the store does not own it.
  BlobCache* cache() const { return m_cache; }
  void use_cache(BlobCache* cache) { m_cache = cache; }

 private:
  friend class StagedBlobs;
  /// The name of a blob, whether there is one or not.
  fs::path place(const Digest& digest) const;
  /// Renames from into the blob's place, making its folder when somebody removed it.
  void adopt(int from_folder, const std::string& from, const Digest& digest) const;
  /// A blob of its own, durable: what `write` writes into the descriptor that it is given.
  void make(const Digest& digest, const std::function<void(int out)>& write) const;

  fs::path m_folder;
  UniqueFd m_blobs;  ///< blobs/sha256
  std::unique_ptr<References> m_references;
  BlobCache* m_cache = nullptr;
};

/// Blobs on their way in: invisible until commit(), kept for resumption when the process dies before it.
///
///   StagedBlobs staged(store, "ingest-demo-7");
///   auto part = staged.create(digest);   // write the bytes, hashing them
///   staged.seal(digest, actual);         // @throws Error{digest_mismatch}
///   staged.commit();                     // one syncfs, renames, fsync of the folders
///
/// Opening a batch that an earlier run left syncs it, re-hashes what was sealed from the disk and drops what does not
/// fit. A sync that fails throws the whole batch away, for nothing tells which of its bytes the kernel dropped:
/// Error{io_error}, and the same run again stages everything anew. The order of a publication, which keeps gc away from
/// it (docs/formats/store.md): StagedBlobs, then Catalog::pin, then has(), then commit(), then Catalog::publish, then
/// Catalog::unpin, and last the end of the StagedBlobs: gc leaves the pins of a name alone as long as somebody holds
/// its lock. create/seal may be called from several threads for different digests; the batch name is locked against
/// other processes (@throws Error{busy}) as long as the object lives.
class StagedBlobs {
 public:
  /// @param batch one portable path component (portable_component), not ending in ".lock"; else Error{internal}
  StagedBlobs(BlobStore& store, std::string_view batch);
  /// Leaves what is staged for a later run with the same name.
  ~StagedBlobs();
  StagedBlobs(const StagedBlobs&) = delete;
  StagedBlobs& operator=(const StagedBlobs&) = delete;

  /// In the store already, or sealed in this batch.
  bool has(const Digest& digest) const;
  bool is_sealed(const Digest& digest) const;
  /// A read-write descriptor of an empty (or resumable, when append is chosen: positioned at its end) part file.
  enum class Open { empty, append };
  UniqueFd create(const Digest& expected, Open open = Open::empty);
  /// Bytes that an earlier run left in the part file of this digest.
  std::uint64_t part_size(const Digest& expected) const;
  /// The part file becomes a staged blob. @throws Error{digest_mismatch} and removes the part when they differ
  void seal(const Digest& expected, const Digest& actual);
  /// A descriptor of a staged or stored blob. @throws Error{not_found}
  UniqueFd open(const Digest& digest) const;
  /// One more name for a staged or stored blob, in a folder of the same file system: for who only reads by name.
  void link_to(int folder, const std::string& name, const Digest& digest) const;
  /// Everything that was sealed becomes visible and durable; the staging folder is removed. Nothing may be staged any
  /// more; the lock is held on.
  void commit();
  /// commit() of several batches of one store, with one sync for all, which tells of every write that failed since the
  /// first of them was opened; one that fails throws all of them away.
  static void commit_all(std::span<StagedBlobs* const> batches);
  /// Removes everything that was staged. Nothing may be staged any more; the lock is held on.
  void discard();

  /// For content whose digest is known only after it was written: a part file under a name of the caller's choice.
  UniqueFd create_named(std::string_view name, Open open = Open::empty);
  /// Bytes that an earlier run left under this name.
  std::uint64_t named_size(std::string_view name) const;
  void seal_named(std::string_view name, const Digest& actual);

 private:
  UniqueFd create_part(const std::string& file, Open open);
  std::uint64_t size_of(const std::string& file) const;
  void note_sealed(const Digest& digest);
  void write_list();
  void resume();
  void sync_or_discard();
  void remove_folder();

  BlobStore& m_store;
  fs::path m_folder;  ///< staging/BATCH: parts and staged blobs by hex name, named parts, the list "sealed"
  FileLock m_lock;    ///< staging/BATCH.lock
  UniqueFd m_fd;
  std::uint64_t m_opened;      ///< counts up; taken once m_fd is open, before anything is staged
  mutable std::mutex m_mutex;  ///< guards what follows
  UniqueFd m_list;
  std::string m_unlisted;  ///< lines that the list does not have yet
  std::chrono::steady_clock::time_point m_listed_at;
  std::unordered_set<Digest> m_sealed;
  bool m_ended = false;
};

/// The lock of a batch, or of a name that pins without staging: whoever pins holds it until it unpins.
/// @throws Error{busy} with Wait::no when another process, or another object of this one, holds it
FileLock lock_batch(const BlobStore& store, std::string_view name, FileLock::Wait wait);

/// The batches that wait below staging/, with the moment they were last worked on: running ones, and those that runs
/// which ended early left behind.
struct WaitingBatch {
  std::string name;
  std::uint64_t size = 0;
  Timestamp touched;
  bool running = false;
};
std::vector<WaitingBatch> waiting_batches(const BlobStore& store);
/// Removes what a run that ended early left, without hashing it first; the caller holds lock_batch().
void discard_batch(const BlobStore& store, std::string_view batch);

/// Reads exactly `size` bytes from `in` (at in_offset) once, hashes them and writes them to `out`, at its offset, once.
/// Large content is written by a second thread and its write-back starts at once, so that a sync that follows has
/// little left to do. Memory: 4 MiB at most, whatever the size. May be called from several threads.
/// @param what names `in` in errors
/// @param progress is told of bytes as they are done, on the calling thread; may be empty
/// @throws Error{size_mismatch} when `in` ends before; Error{io_error, disk_full}; `out` then holds a part
Digest copy_hashed(int in, std::uint64_t in_offset, int out, std::uint64_t size, std::string_view what,
                   const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
