// Blobs that are read again and again: small contents in memory, descriptors of larger ones kept open.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "store/blob_store.hpp"

namespace liftlock {

struct BlobCacheLimits {
  std::uint64_t memory = 64u << 20;      ///< of contents, in all
  std::uint64_t small_blob = 64u << 10;  ///< up to this size content is kept instead of a descriptor
  std::size_t files = 512;               ///< open descriptors, in all
  /// How long an entry is believed before the file's name is looked at again: what gc or scrub took away is no longer
  /// served after this time.
  std::chrono::milliseconds belief{1000};
};

/// Least recently used entries leave first. All members may be called from several threads.
class BlobCache {
 public:
  using Content = std::variant<std::shared_ptr<const std::string>, std::shared_ptr<const UniqueFd>>;

  /// @param store must outlive the cache
  explicit BlobCache(const BlobStore& store, BlobCacheLimits limits = {});
  ~BlobCache();
  BlobCache(const BlobCache&) = delete;
  BlobCache& operator=(const BlobCache&) = delete;

  /// Content that is kept in memory was hashed when it was read.
  /// @throws Error{not_found, blob_corrupt}
  Content get(const Digest& digest);

 private:
  struct Entry;
  struct Shard;
  Content remember(Shard& shard, const Digest& digest, UniqueFd file);

  const BlobStore& m_store;
  BlobCacheLimits m_limits;
  std::vector<std::unique_ptr<Shard>> m_shards;
};

}  // namespace liftlock
