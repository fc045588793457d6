// The unfinished file of one fetch job, in a staging batch of its own: the bytes so far, their running hash, and a
// sidecar that says which version of which URL they are. A small file stays in memory until it is whole, and shares the
// batch of others: a folder, a lock and three files for each of a thousand take longer than their bytes.
//
// Sidecar ("part.state"): four lines: "liftlock-part 2", the SHA-256 of the URL, the validator (a strong ETag or a
// Last-Modified date as the server sent it; empty when it sent none), and the boot of the machine that it was begun in.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "crypto/hash.hpp"
#include "os/fd.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

class PartFile {
 public:
  /// What may stay in memory.
  static constexpr std::uint64_t k_small = 256u << 10;

  /// Is there something of an earlier run? Then opening takes time.
  static bool left_behind(const BlobStore& store, std::string_view batch);

  /// Hashes what an earlier run left.
  /// @throws Error{busy} when another process works on this batch
  /// @param also one more digest to make of the bytes
  PartFile(BlobStore& store, std::string batch, std::optional<DigestAlgorithm> also = {});

  std::uint64_t size() const { return m_size; }
  /// What the sidecar says of the bytes that are there; empty when it does not fit the URL.
  std::string validator_for(std::string_view url) const;
  void remember(std::string_view url, std::string_view validator);
  /// Was it begun in this boot of the machine? Then no power cut came between, which may leave zeros in place of bytes
  /// that were written and not synced.
  bool is_of_this_boot() const;

  /// The whole has this many bytes: may it stay in memory? Only where there are none yet.
  void expect(std::uint64_t size);
  /// @throws Error{busy, disk_full, io_error}
  void append(std::span<const std::uint8_t> bytes);
  /// What is in memory goes to the disk, for a later run. @throws as append()
  void keep();
  /// Back to no bytes at all.
  void restart();
  /// For producers that write to the descriptor themselves; rehash() must follow.
  int fd();
  void rehash();

  /// The digest of the bytes; call once, then seal() or restart().
  Digest finish() { return m_hasher.finish(); }
  /// The one that the constructor was asked for; in the same way.
  Digest finish_also() { return m_also->finish(); }
  /// The bytes are those of a blob of the store once batch() was committed, or, where they are in memory, `shared`,
  /// which the first such file makes of its own; only that and destruction may follow.
  void seal(const Digest& digest, StagedBlobs*& shared);
  /// nullptr: it has none of its own.
  StagedBlobs* batch() { return m_staged ? &*m_staged : nullptr; }
  /// Removes the bytes and the batch; only destruction may follow.
  void discard();

 private:
  void open();
  void write_state();
  void hash(std::span<const std::uint8_t> bytes);
  void forget_hashes();

  BlobStore& m_store;
  std::string m_batch;
  std::optional<StagedBlobs> m_staged;  ///< with m_part and m_state; absent while all is in memory
  UniqueFd m_part;
  UniqueFd m_state;
  std::string m_state_text;
  std::vector<std::uint8_t> m_memory;
  bool m_small = false;
  Hasher m_hasher;
  std::optional<Hasher> m_also;
  std::uint64_t m_size = 0;
};

}  // namespace liftlock
