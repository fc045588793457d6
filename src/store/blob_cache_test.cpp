#include "store/blob_cache.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

std::string text_of(const BlobCache::Content& content) {
  return *std::get<std::shared_ptr<const std::string>>(content);
}

TEST(BlobCache, KeepsSmallContentAndDescriptorsOfLargeOnes) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  BlobCache cache(store);
  const auto small = store.put("small"), large = store.put(std::string(100'000, 'x'));
  const auto first = cache.get(small);
  EXPECT_EQ(text_of(first), "small");
  EXPECT_EQ(std::get<0>(cache.get(small)), std::get<0>(first));
  EXPECT_EQ(std::get<1>(cache.get(large)), std::get<1>(cache.get(large)));
  EXPECT_THROW(cache.get(sha256("absent")), Error);
}

TEST(BlobCache, StopsServingWhatWasRemoved) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  BlobCache cache(store, {.belief = std::chrono::milliseconds(0)});
  const auto digest = store.put("small");
  cache.get(digest);
  store.quarantine(digest);
  EXPECT_THROW(cache.get(digest), Error);
}

TEST(BlobCache, RefusesSmallContentThatRotted) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  BlobCache cache(store);
  const auto digest = store.put("small");
  fs::permissions(store.path(digest), fs::perms::owner_all);
  write_all(open_file(store.path(digest), O_WRONLY).get(), "smalL", "blob");
  try {
    cache.get(digest);
    ADD_FAILURE() << "rotten bytes were served";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::blob_corrupt);  // whose remedy is that of the store, not of a download
  }
}

TEST(BlobCache, StaysWithinItsLimits) {
  const TemporaryFolder folder;
  BlobStore store(folder.path());
  BlobCache cache(store, {.memory = 8u << 10, .files = 8});
  std::weak_ptr<const UniqueFd> oldest;
  for (int i = 0; i < 64; ++i) {
    cache.get(store.put(std::string(1000, static_cast<char>('0' + i))));
    const auto content = cache.get(store.put(std::string(70'000, static_cast<char>('0' + i))));
    if (i == 0) oldest = std::get<1>(content);
  }
  EXPECT_TRUE(oldest.expired());
}

}  // namespace
}  // namespace liftlock
