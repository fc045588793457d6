#include "store/blob_cache.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_shards = 8;
using Clock = std::chrono::steady_clock;

}  // namespace

struct BlobCache::Entry {
  Digest digest;
  Content content;
  std::uint64_t memory = 0;  ///< 0: holds a descriptor
  ino_t inode = 0;
  Clock::time_point checked;
};

struct BlobCache::Shard {
  std::mutex mutex;
  std::list<Entry> entries;  ///< the most recently used first
  std::unordered_map<Digest, std::list<Entry>::iterator> index;
  std::uint64_t memory = 0;
  std::size_t files = 0;

  void erase(std::list<Entry>::iterator place) {
    memory -= place->memory;
    if (place->memory == 0) --files;
    index.erase(place->digest);
    entries.erase(place);
  }
};

BlobCache::BlobCache(const BlobStore& store, BlobCacheLimits limits) : m_store(store), m_limits(limits) {
  for (std::size_t i = 0; i < k_shards; ++i) m_shards.push_back(std::make_unique<Shard>());
}

BlobCache::~BlobCache() = default;

BlobCache::Content BlobCache::get(const Digest& digest) {
  auto& shard = *m_shards[digest.bytes()[0] % k_shards];
  const auto now = Clock::now();
  {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(digest);
    if (found != shard.index.end() && now - found->second->checked < m_limits.belief) {
      shard.entries.splice(shard.entries.begin(), shard.entries, found->second);
      return found->second->content;
    }
  }
  std::optional<UniqueFd> file;
  try {
    file = m_store.open(digest);
  } catch (const Error&) {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(digest);
    if (found != shard.index.end()) shard.erase(found->second);
    throw;
  }
  return remember(shard, digest, std::move(*file));
}

BlobCache::Content BlobCache::remember(Shard& shard, const Digest& digest, UniqueFd file) {
  const auto status = stat_of(file.get(), digest.text());
  {
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(digest);
    if (found != shard.index.end() && found->second->inode == status.st_ino) {
      found->second->checked = Clock::now();
      return found->second->content;
    }
  }
  Entry entry{digest, {}, 0, status.st_ino, Clock::now()};
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size <= m_limits.small_blob) {
    auto text = read_all(file.get(), m_limits.small_blob, digest.text());
    if (sha256(text) != digest) fail(ErrorCode::blob_corrupt, "the stored bytes are not those of {}", digest.text());
    entry.memory = text.size() + sizeof(Entry);
    entry.content = std::make_shared<const std::string>(std::move(text));
  } else {
    entry.content = std::make_shared<const UniqueFd>(std::move(file));
  }

  const std::lock_guard lock(shard.mutex);
  const auto found = shard.index.find(digest);
  if (found != shard.index.end()) shard.erase(found->second);
  shard.memory += entry.memory;
  if (entry.memory == 0) ++shard.files;
  const auto content = entry.content;
  shard.entries.push_front(std::move(entry));
  shard.index.emplace(digest, shard.entries.begin());
  const auto max_files = std::max<std::size_t>(m_limits.files / k_shards, 1);
  while (shard.entries.size() > 1 && (shard.memory > m_limits.memory / k_shards || shard.files > max_files)) {
    shard.erase(std::prev(shard.entries.end()));
  }
  return content;
}

}  // namespace liftlock
