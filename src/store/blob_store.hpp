// Content-addressed files: blobs/sha256/ab/abcd… (mode 0444). A name is the SHA-256 of the bytes, always.
// Format: docs/formats/store.md. All members may be called from several threads and processes at once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "os/fd.hpp"
#include "os/file.hpp"

namespace liftlock {

class BlobStore {
 public:
  /// @param folder created when missing (blobs/, staging/)
  explicit BlobStore(fs::path folder);

  bool contains(const Digest& digest) const;
  std::optional<std::uint64_t> size(const Digest& digest) const;
  /// Read-only descriptor. @throws Error{not_found}
  UniqueFd open(const Digest& digest) const;
  fs::path path(const Digest& digest) const;
  const fs::path& folder() const { return m_folder; }

  /// Small content in one call: written, synced, renamed. No effect when it is there already.
  Digest put(std::span<const std::uint8_t> bytes);
  Digest put(std::string_view text);

  /// Calls visit for every blob, in no order; entries that are no blobs are reported as Error{store_invalid}.
  void for_each(const std::function<void(const Digest&, std::uint64_t size)>& visit) const;
  /// Removes one blob; absent is fine. Only gc and scrub call this, with the catalog's lock held.
  void remove(const Digest& digest);

 private:
  fs::path m_folder;
};

/// Blobs on their way in: invisible until commit(), kept for resumption when the process dies before it.
///
///   StagedBlobs staged(store, "ingest-demo-7");
///   auto part = staged.create(digest);   // write the bytes, hashing them
///   staged.seal(digest, actual);         // @throws Error{digest_mismatch}
///   staged.commit();                     // one syncfs, renames, fsync of the folders
///
/// Opening a batch that an earlier run left re-hashes what was sealed (nothing was synced) and drops what does not fit.
/// create/seal may be called from several threads for different digests; the batch name is locked against other
/// processes (@throws Error{busy}).
class StagedBlobs {
 public:
  StagedBlobs(BlobStore& store, std::string_view batch);
  /// Leaves what is staged for a later run with the same name.
  ~StagedBlobs();
  StagedBlobs(const StagedBlobs&) = delete;
  StagedBlobs& operator=(const StagedBlobs&) = delete;

  /// In the store already, or sealed in this batch.
  bool has(const Digest& digest) const;
  /// A read-write descriptor of an empty (or resumable, when append is chosen) part file.
  enum class Open { empty, append };
  UniqueFd create(const Digest& expected, Open open = Open::empty);
  /// Bytes that an earlier run left in the part file of this digest.
  std::uint64_t part_size(const Digest& expected) const;
  /// The part file becomes a staged blob. @throws Error{digest_mismatch} and removes the part when they differ
  void seal(const Digest& expected, const Digest& actual);
  /// A descriptor of a staged or stored blob. @throws Error{not_found}
  UniqueFd open(const Digest& digest) const;
  /// Everything that was sealed becomes visible and durable; the staging folder is removed.
  void commit();
  /// Removes everything that was staged.
  void discard();

  /// For content whose digest is known only after it was written: a part file under a name of the caller's choice.
  UniqueFd create_named(std::string_view name, Open open = Open::empty);
  void seal_named(std::string_view name, const Digest& actual);

 private:
  fs::path part_path(const Digest& digest) const;
  BlobStore& m_store;
  fs::path m_folder;
  FileLock m_lock;
  mutable std::mutex m_mutex;
  std::map<Digest, bool> m_sealed;
};

/// Reads exactly `size` bytes from `in` (at in_offset) once, hashes them and writes them to `out` once. Memory: one or
/// two blocks. progress is told of bytes as they are done.
/// @throws Error{size_mismatch} when `in` ends before; what names the file in errors
Digest copy_hashed(int in, std::uint64_t in_offset, int out, std::uint64_t size, std::string_view what,
                   const std::function<void(std::uint64_t)>& progress);

}  // namespace liftlock
