// The unfinished file of one fetch job, in a staging batch of its own: the bytes so far, their running hash, and a
// sidecar that says which version of which URL they are.
//
// Sidecar ("part.state"): three lines: "liftlock-part 1", the SHA-256 of the URL, the validator (a strong ETag or a
// Last-Modified date as the server sent it; empty when it sent none).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "crypto/hash.hpp"
#include "os/fd.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

class PartFile {
 public:
  /// Opens or creates the batch and hashes what an earlier run left in it (which takes time).
  /// @throws Error{busy} when another process works on this batch
  /// @param also one more digest to make of the bytes
  PartFile(BlobStore& store, std::string_view batch, std::optional<DigestAlgorithm> also = {});

  std::uint64_t size() const { return m_size; }
  /// What the sidecar says of the bytes that are there; empty when it does not fit the URL.
  std::string validator_for(std::string_view url) const;
  void remember(std::string_view url, std::string_view validator);

  /// @throws Error{disk_full, io_error}
  void append(std::span<const std::uint8_t> bytes);
  /// Back to no bytes at all.
  void restart();
  /// For producers that write to the descriptor themselves; rehash() must follow.
  int fd() const { return m_part.get(); }
  void rehash();

  /// The digest of the bytes; call once, then seal() or restart().
  Digest finish() { return m_hasher.finish(); }
  /// The one that the constructor was asked for; in the same way.
  Digest finish_also() { return m_also->finish(); }
  /// The bytes are those of a blob of the store once the batch was committed; only that and destruction may follow.
  void seal(const Digest& digest);
  StagedBlobs& batch() { return m_staged; }
  /// Removes the bytes and the batch; only destruction may follow.
  void discard();

 private:
  void hash(std::span<const std::uint8_t> bytes);
  void forget_hashes();

  StagedBlobs m_staged;
  UniqueFd m_part;
  UniqueFd m_state;
  Hasher m_hasher;
  std::optional<Hasher> m_also;
  std::uint64_t m_size = 0;
};

}  // namespace liftlock
