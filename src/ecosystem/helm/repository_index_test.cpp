#include "ecosystem/helm/repository_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/gigabyte_fixture.hpp"

namespace liftlock::helm {
namespace {

TEST(RepositoryIndex, AGigabyteIsRefusedUnread) {
  const HugeText index(k_gigabyte);
  const PeakMemory memory;
  EXPECT_EQ(code_of([&] { find_in_index(index, "https://charts.test/", "a", "1.0.0"); }), ErrorCode::limit_exceeded);
  EXPECT_LT(memory.grown(), 1u << 20);
}

TEST(RepositoryIndex, FindsOneVersion) {
  const auto index =
      "apiVersion: v1\nentries:\n  storage:\n  - version: 1.10\n  - version: 1.2.0\n    digest: " + sha256("x").hex() +
      "\n    urls: [storage-1.2.0.tgz, other]\n  - version: 1.1.0\n    urls: ['https://x.test/s.tgz']\n";
  const auto found = find_in_index(index, "https://charts.test/stable/", "storage", "1.2.0");
  EXPECT_EQ(found.url, "https://charts.test/stable/storage-1.2.0.tgz");
  EXPECT_EQ(found.digest, sha256("x"));
  EXPECT_EQ(find_in_index(index, "b/", "storage", "1.1.0").url, "https://x.test/s.tgz");
  EXPECT_FALSE(find_in_index(index, "b/", "storage", "1.1.0").digest);
  try {
    find_in_index(index, "b/", "storage", "2.0.0");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unresolvable);
    EXPECT_THAT(error.what(), testing::HasSubstr("1.10, 1.2.0, 1.1.0"));
  }
  for (const auto* bad :
       {"", "entries: 1", "entries: {storage: [7]}", "entries: {storage: [{version: 1.2.0, urls: [{}]}]}",
        "entries: {storage: [{version: 1.2.0, urls: [a], digest: x}]}", "entries: {other: []}"}) {
    EXPECT_THROW(find_in_index(bad, "b/", "storage", "1.2.0"), Error) << bad;
  }
}

}  // namespace
}  // namespace liftlock::helm
