#include "ecosystem/git/making.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <thread>

#include "crypto/hash.hpp"
#include "ecosystem/git/sample_bundle_test.hpp"

namespace liftlock::git {
namespace {

using testing::HasSubstr;
using namespace sample;  // NOLINT(google-build-using-namespace): the subject of this file

class MakingTest : public testing::Test {
 protected:
  /// Why there is no repository; empty: there is one.
  std::string make(const std::string& bytes, const fs::path& into) {
    bundle_digest = sha256(bytes);
    UniqueFd fd(::memfd_create("bundle", MFD_CLOEXEC));
    write_all(fd.get(), bytes, "memfd");
    MakingOrder order{.folder = into, .bundle = bundle_digest, .head = "refs/heads/main", .file = std::move(fd)};
    const auto making = make_repository(std::move(order));
    while (!making->done()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return making->failed() ? std::string(info(making->failed()->code()).slug) + ": " + making->failed()->what() : "";
  }
  static bool soon(const std::function<bool()>& is_so) {
    for (int i = 0; i < 12000; ++i) {
      if (is_so()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  TemporaryFolder folder;
  Digest bundle_digest = sha256("");
};

std::string small_bundle(const std::string& word) {
  Pack pack;
  const auto blob = pack.add(ObjectType::blob, word);
  const auto tree = pack.add(ObjectType::tree, tree_entry("100644", "a", blob));
  const auto commit = pack.add(ObjectType::commit, commit_text(tree));
  return bundle({{"refs/heads/main", commit}}, pack.bytes());
}

TEST_F(MakingTest, MakesARepositoryWithItsAdvertisements) {
  const auto cache = folder.path() / "cache";
  const auto failed = make(small_bundle("made"), cache);
  if (failed.starts_with("tool-missing") || failed.starts_with("sandbox-unavailable")) GTEST_SKIP() << failed;
  ASSERT_EQ(failed, "");
  const auto made = open_folder(place_of(cache, bundle_digest));
  EXPECT_TRUE(is_made(made.get()));
  const auto text = [&](int protocol) {
    return read_file(place_of(cache, bundle_digest) / advertisement_name(protocol), 1u << 20);
  };
  EXPECT_TRUE(text(0).starts_with("001e# service=git-upload-pack\n0000"));
  EXPECT_THAT(text(0), HasSubstr("refs/heads/main"));
  EXPECT_THAT(text(1), HasSubstr("version 1"));
  EXPECT_TRUE(text(2).starts_with("000eversion 2\n"));
  EXPECT_EQ(std::distance(fs::directory_iterator(cache), {}), 1);
}

TEST_F(MakingTest, RemembersFailuresAndLeavesNothing) {
  const auto cache = folder.path() / "cache";
  auto bytes = small_bundle("wrong");
  bytes.resize(bytes.size() - 30);
  const auto failed = make(bytes, cache);
  if (failed.starts_with("tool-missing") || failed.starts_with("sandbox-unavailable")) GTEST_SKIP() << failed;
  EXPECT_NE(failed, "");
  EXPECT_EQ(std::distance(fs::directory_iterator(cache), {}), 0);
  fs::remove(cache);
  EXPECT_EQ(make(bytes, cache), failed) << "nobody looked again";
  EXPECT_FALSE(fs::exists(cache));
}

TEST_F(MakingTest, TakesNoMoreRoomThanThereIs) {
  // A pack of 2^32 - 1 objects, says its head: its index would have 256 GiB.
  auto bytes = small_bundle("big");
  const auto at = bytes.find("PACK");
  for (int i = 8; i < 12; ++i) bytes[at + static_cast<std::size_t>(i)] = '\xff';
  if (free_space(folder.path()) > (256ull << 30)) GTEST_SKIP() << "there is room";
  EXPECT_THAT(make(bytes, folder.path() / "cache"), testing::StartsWith("disk-full"));
}

TEST_F(MakingTest, TidiesWhatKilledServersLeft) {
  const auto kept = sha256("kept"), gone = sha256("gone"), recent = sha256("recent"), made = sha256("made");
  for (const auto& one : {kept, gone, recent}) fs::create_directories(place_of(folder.path(), one) / "objects");
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(48);
  fs::last_write_time(place_of(folder.path(), kept), old);
  fs::last_write_time(place_of(folder.path(), gone), old);
  fs::create_directories(folder.path() / (gone.hex() + ".new") / "objects");
  fs::create_directories(folder.path() / (made.hex() + ".new"));
  const FileLock lock(folder.path() / (made.hex() + ".lock"), "a making", FileLock::Wait::no);
  tidy_repositories(folder.path(), {kept});
  EXPECT_TRUE(soon([&] {
    return !fs::exists(place_of(folder.path(), gone)) && !fs::exists(folder.path() / (gone.hex() + ".new"));
  }));
  EXPECT_TRUE(fs::exists(place_of(folder.path(), kept)));
  EXPECT_TRUE(fs::exists(place_of(folder.path(), recent)));
  EXPECT_TRUE(fs::exists(folder.path() / (made.hex() + ".new"))) << "another process makes it";
  tidy_repositories(folder.path() / "nowhere", {});
}

TEST(Blame, IsThePacksOnlyByGitsOwnWords) {
  EXPECT_TRUE(blames_the_pack("error: object 1234: gitmodulesUrl: disallowed; fatal: fsck error in pack objects"));
  EXPECT_TRUE(blames_the_pack("fatal: pack has bad object at offset 12: inflate returned -3"));
  EXPECT_TRUE(blames_the_pack("fatal: pack has 1 unresolved delta"));
  for (const auto* other : {"", "fatal: Out of memory, malloc failed (tried to allocate 8192 bytes)",
                            "fatal: unable to create thread: Resource temporarily unavailable",
                            "fatal: write error: No space left on device",
                            "fatal: unable to create '/run/liftlock/pack.idx': Permission denied"})
    EXPECT_FALSE(blames_the_pack(other)) << other;
}

}  // namespace
}  // namespace liftlock::git
