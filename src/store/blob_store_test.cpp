#include "store/blob_store.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace {
int g_syncs = 0;
bool g_disk_fails = false;
std::string g_synced;  ///< what the last sync's descriptor is open on
std::function<void(const std::string&)> g_on_opendir;
}  // namespace

/// Stands before libc's: what somebody else does right before a folder is read.
extern "C" DIR* opendir(const char* name) {
  if (g_on_opendir) g_on_opendir(name);
  const int fd = ::open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? nullptr : ::fdopendir(fd);
}

/// Stands before libc's: a disk that fails when it is told to.
extern "C" int syncfs(int fd) noexcept {
  ++g_syncs;
  std::error_code error;
  g_synced = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error).string();
  if (!g_disk_fails) return static_cast<int>(::syscall(SYS_syncfs, fd));
  errno = EIO;
  return -1;
}

namespace liftlock {
namespace {

struct BlobStoreTest : testing::Test {
  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};

  static Digest stage(StagedBlobs& staged, std::string_view text) {
    const auto digest = sha256(text);
    write_all(staged.create(digest).get(), text, "a part");
    staged.seal(digest, digest);
    return digest;
  }
  std::string content(const Digest& digest) const { return read_all(store.open(digest).get(), 1u << 20, "a blob"); }
};

using StagedBlobsTest = BlobStoreTest;

TEST_F(BlobStoreTest, NameIsTheDigestAndModeIsReadOnly) {
  const auto digest = store.put("abc");
  EXPECT_EQ(digest, sha256("abc"));
  EXPECT_EQ(content(digest), "abc");
  EXPECT_EQ(stat_of(store.open(digest).get(), "x").st_mode & 0777, 0444u);
  EXPECT_EQ(store.put("abc"), digest);
  EXPECT_EQ(store.size(digest), 3u);
  EXPECT_TRUE(walk(folder.path() / "store/staging", 10).empty());
}

TEST_F(BlobStoreTest, AbsentBlobIsNotFound) {
  EXPECT_FALSE(store.contains(sha256("x")));
  EXPECT_EQ(store.size(sha256("x")), std::nullopt);
  EXPECT_EQ(code_of([&] { store.open(sha256("x")); }), ErrorCode::not_found);
  EXPECT_NO_THROW(store.remove(sha256("x")));
}

TEST_F(BlobStoreTest, LinkInPlaceOfABlobIsNotFollowed) {
  const auto digest = sha256("x");
  fs::create_symlink("/etc/hostname", store.path(digest));
  EXPECT_EQ(code_of([&] { store.open(digest); }), ErrorCode::io_error);
}

TEST_F(BlobStoreTest, StrayFilesAreToldApart) {
  const auto digest = store.put("abc");
  write_file_atomically(store.path(digest).parent_path() / "notes.txt", "x");
  fs::create_directories(folder.path() / "store/blobs/sha256/zz");
  write_file_atomically(store.path(sha256("q")).parent_path() / digest.hex(), "in the wrong folder");
  std::set<std::string> strays;
  std::set<Digest> blobs;
  store.for_each([&](const Digest& found, std::uint64_t) { blobs.insert(found); },
                 [&](const std::string& path) { strays.insert(path); });
  EXPECT_EQ(blobs, std::set<Digest>{digest});
  EXPECT_EQ(strays.size(), 3u);
  EXPECT_EQ(code_of([&] { store.for_each([](const Digest&, std::uint64_t) {}); }), ErrorCode::store_invalid);
}

TEST_F(StagedBlobsTest, NothingIsVisibleBeforeCommit) {
  StagedBlobs staged(store, "b");
  const auto digest = stage(staged, "hello");
  EXPECT_TRUE(staged.has(digest));
  EXPECT_FALSE(store.contains(digest));
  EXPECT_EQ(read_all(staged.open(digest).get(), 100, "x"), "hello");
  staged.commit();
  EXPECT_EQ(content(digest), "hello");
  EXPECT_EQ(stat_of(store.open(digest).get(), "x").st_mode & 0777, 0444u);
  EXPECT_FALSE(fs::exists(folder.path() / "store/staging/b"));
}

TEST_F(StagedBlobsTest, WrongBytesAreRefusedAndRemoved) {
  StagedBlobs staged(store, "b");
  const auto expected = sha256("good");
  write_all(staged.create(expected).get(), "evil", "x");
  EXPECT_EQ(code_of([&] { staged.seal(expected, sha256("evil")); }), ErrorCode::digest_mismatch);
  EXPECT_FALSE(staged.has(expected));
  EXPECT_EQ(staged.part_size(expected), 0u);
}

TEST_F(StagedBlobsTest, PartIsContinuedByALaterRun) {
  const auto digest = sha256("helloworld");
  {
    StagedBlobs staged(store, "b");
    write_all(staged.create(digest).get(), "hello", "x");
  }
  StagedBlobs staged(store, "b");
  EXPECT_FALSE(staged.has(digest));
  EXPECT_EQ(staged.part_size(digest), 5u);
  write_all(staged.create(digest, StagedBlobs::Open::append).get(), "world", "x");
  staged.seal(digest, digest);
  staged.commit();
  EXPECT_EQ(content(digest), "helloworld");
  EXPECT_EQ(stat_of(store.open(digest).get(), "x").st_mode & 0777, 0444u);
}

TEST_F(StagedBlobsTest, ResumedBatchDropsATornBlob) {
  std::optional<Digest> whole;
  std::optional<Digest> torn;
  {
    StagedBlobs staged(store, "b");
    whole = stage(staged, "whole");
    torn = stage(staged, std::string(5000, 't'));
  }
  // What a power cut leaves: the name and the size, but zeros where the bytes were.
  const auto path = folder.path() / "store/staging/b" / torn->hex();
  fs::permissions(path, fs::perms::owner_all);
  fs::resize_file(path, 100);
  fs::resize_file(path, 5000);
  StagedBlobs staged(store, "b");
  EXPECT_TRUE(staged.has(*whole));
  EXPECT_FALSE(staged.has(*torn));
  EXPECT_EQ(staged.part_size(*torn), 0u);
  staged.commit();
  EXPECT_TRUE(store.contains(*whole));
  EXPECT_FALSE(store.contains(*torn));
}

TEST_F(StagedBlobsTest, NamedPartGetsItsDigestAtTheEnd) {
  StagedBlobs staged(store, "b");
  const std::string name = "https://example.test/a file?x=1/../..";
  write_all(staged.create_named(name).get(), "content", "x");
  EXPECT_EQ(staged.named_size(name), 7u);
  staged.seal_named(name, sha256("content"));
  staged.commit();
  EXPECT_EQ(content(sha256("content")), "content");
}

TEST_F(StagedBlobsTest, DiscardLeavesNothing) {
  {
    StagedBlobs staged(store, "b");
    stage(staged, "x");
    staged.discard();
    EXPECT_EQ(code_of([&] { StagedBlobs(store, "b"); }), ErrorCode::busy) << "its pins are still to be dropped";
  }
  EXPECT_TRUE(walk(folder.path() / "store/staging", 10).empty());
  EXPECT_NO_THROW(StagedBlobs(store, "b"));
}

TEST_F(StagedBlobsTest, WhatASyncRefusedIsNeverBelievedAgain) {
  {
    StagedBlobs staged(store, "b");
    stage(staged, "lost by the disk, still in the cache");
    g_disk_fails = true;
    EXPECT_EQ(code_of([&] { staged.commit(); }), ErrorCode::io_error);
    g_disk_fails = false;
  }
  StagedBlobs again(store, "b");
  EXPECT_FALSE(again.has(sha256("lost by the disk, still in the cache")));
}

TEST_F(StagedBlobsTest, ABatchThatCannotBeSyncedWhenItResumesIsThrownAway) {
  {
    StagedBlobs staged(store, "b");
    stage(staged, "sealed by a run that was killed");
  }
  g_disk_fails = true;
  EXPECT_EQ(code_of([&] { StagedBlobs(store, "b"); }), ErrorCode::io_error);
  g_disk_fails = false;
  EXPECT_FALSE(StagedBlobs(store, "b").has(sha256("sealed by a run that was killed")));
}

TEST_F(StagedBlobsTest, CommitSyncsAlsoWhatAKilledRunPutInItsPlace) {
  StagedBlobs staged(store, "b");
  ASSERT_TRUE(staged.has(store.put("renamed by a run that was killed")));
  const auto before = g_syncs;
  staged.commit();
  EXPECT_EQ(g_syncs, before + 1);
}

TEST_F(StagedBlobsTest, SeveralBatchesShareTheSyncOfTheOneThatWasOpenedFirst) {
  StagedBlobs first(store, "first"), second(store, "second"), third(store, "third");
  const auto a = stage(third, "a"), b = stage(first, "b"), c = stage(second, "c");
  std::vector<StagedBlobs*> all{&third, &first, &second};
  const auto before = g_syncs;
  StagedBlobs::commit_all(all);
  EXPECT_EQ(g_syncs, before + 1);
  EXPECT_EQ(g_synced, (fs::canonical(folder.path()) / "store/staging/first").string())
      << "a later one is not told of what failed before it was opened";
  for (const auto& digest : {a, b, c}) EXPECT_TRUE(store.holds(digest));
}

TEST_F(StagedBlobsTest, ASyncThatFailsThrowsAwayAllTheBatchesItWasFor) {
  {
    StagedBlobs first(store, "first"), second(store, "second");
    stage(first, "a");
    stage(second, "b");
    std::vector<StagedBlobs*> all{&second, &first};
    g_disk_fails = true;
    EXPECT_EQ(code_of([&] { StagedBlobs::commit_all(all); }), ErrorCode::io_error);
    g_disk_fails = false;
  }
  EXPECT_TRUE(walk(folder.path() / "store/staging", 10).empty());
  for (const auto* text : {"a", "b"}) {
    EXPECT_FALSE(store.holds(sha256(text)));
    EXPECT_FALSE(StagedBlobs(store, "first").has(sha256(text)));
    EXPECT_FALSE(StagedBlobs(store, "second").has(sha256(text)));
  }
}

TEST_F(StagedBlobsTest, BatchNameThatIsNoFileNameIsRefused) {
  for (const auto* name : {"", "..", "a/b", ".x", "x.lock", "put.1.1.tmp"}) {
    EXPECT_EQ(code_of([&] { StagedBlobs(store, name); }), ErrorCode::internal) << name;
  }
}

TEST_F(StagedBlobsTest, OneBatchBelongsToOneProcess) {
  const StagedBlobs staged(store, "b");
  EXPECT_EQ(code_of([&] { StagedBlobs(store, "b"); }), ErrorCode::busy);
  EXPECT_NO_THROW(StagedBlobs(store, "c"));
  for (const auto& batch : waiting_batches(store)) EXPECT_EQ(batch.running, batch.name == "b");
}

/// The waiting batches, with `meanwhile` done once while "b" is looked at.
std::vector<WaitingBatch> looked_at(const BlobStore& store, const std::function<void()>& meanwhile) {
  bool done = false;
  g_on_opendir = [&](const std::string& folder) {
    if (done || !folder.ends_with("/staging/b")) return;
    done = true;
    meanwhile();
  };
  std::vector<WaitingBatch> batches;
  EXPECT_NO_THROW(batches = waiting_batches(store));
  g_on_opendir = nullptr;
  EXPECT_TRUE(done);
  return batches;
}

TEST_F(StagedBlobsTest, ABatchThatIsLookedAtCanBeTakenUp) {
  { const StagedBlobs left(store, "b"); }
  std::optional<ErrorCode> refusal;
  const auto batches = looked_at(store, [&] { refusal = code_of([&] { const StagedBlobs resumed(store, "b"); }); });
  EXPECT_EQ(refusal, std::nullopt);
  EXPECT_EQ(batches.size(), 1u);
}

TEST_F(StagedBlobsTest, ABatchThatEndsWhileItIsLookedAtIsGone) {
  { const StagedBlobs left(store, "b"), other(store, "c"); }
  const auto batches = looked_at(store, [&] { StagedBlobs(store, "b").commit(); });
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].name, "c");
}

TEST_F(StagedBlobsTest, ABatchWhoseFilesGoWhileItIsLookedAtIsRunning) {
  { const StagedBlobs left(store, "b"); }
  std::optional<StagedBlobs> running;
  const auto batches = looked_at(store, [&] {
    running.emplace(store, "b");
    fail_errno("stat what was there just now", ENOENT);
  });
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].running);
}

TEST_F(StagedBlobsTest, LookingAtBatchesWritesNothing) {
  const auto staging = store.folder() / "staging";
  fs::create_directory(staging / "without");
  fs::create_directory(staging / "with");
  write_file_atomically(staging / "with.lock", "");
  EXPECT_EQ(waiting_batches(store).size(), 2u);
  EXPECT_FALSE(fs::exists(staging / "without.lock"));
  EXPECT_TRUE(fs::exists(staging / "with.lock"));
}

TEST_F(StagedBlobsTest, ThreadsStageDifferentBlobsAtOnce) {
  StagedBlobs staged(store, "b");
  parallel_for(
      200, [&](std::size_t i) { stage(staged, fmt::format("content {}", i)); }, 4);
  staged.commit();
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(store.contains(sha256(fmt::format("content {}", i))));
}

TEST_F(StagedBlobsTest, CommitMakesAFolderThatSomebodyRemoved) {
  StagedBlobs staged(store, "b");
  const auto digest = stage(staged, "x");
  fs::remove(store.path(digest).parent_path());
  staged.commit();
  EXPECT_TRUE(store.contains(digest));
}

struct CopyHashedTest : testing::Test {
  TemporaryFolder folder;
  UniqueFd open_new(const char* name) { return open_file(folder.path() / name, O_RDWR | O_CREAT | O_EXCL); }
  static std::string bytes(std::size_t size) {
    std::string out(size, '\0');
    std::uint32_t state = 1;
    for (auto& c : out) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
    return out;
  }
};

TEST_F(CopyHashedTest, BytesAndDigestAreRightAtEverySize) {
  int index = 0;
  for (const std::size_t size : {0u, 1u, 4095u, 262143u, 262144u, 262145u, 4u << 20, (5u << 20) + 17, 21u << 20}) {
    const auto text = bytes(size + 3);
    const auto in = open_new(fmt::format("in{}", index).c_str());
    write_all(in.get(), text, "in");
    const auto out = open_new(fmt::format("out{}", index++).c_str());
    write_all(out.get(), "head", "out");
    std::uint64_t told = 0;
    const auto digest = copy_hashed(in.get(), 3, out.get(), size, "in", [&](std::uint64_t n) { told += n; });
    EXPECT_EQ(digest, sha256(std::string_view(text).substr(3))) << size;
    EXPECT_TRUE(read_all(out.get(), 1u << 30, "out") == "head" + text.substr(3)) << size;
    EXPECT_EQ(told, size);
  }
}

TEST_F(CopyHashedTest, InputThatEndsEarlyIsAnError) {
  const auto in = open_new("in");
  write_all(in.get(), bytes(6u << 20), "in");
  const auto out = open_new("out");
  EXPECT_EQ(code_of([&] { copy_hashed(in.get(), 0, out.get(), (6u << 20) + 1, "in", {}); }), ErrorCode::size_mismatch);
  EXPECT_EQ(code_of([&] { copy_hashed(in.get(), (6u << 20) - 5, out.get(), 6, "in", {}); }), ErrorCode::size_mismatch);
}

TEST_F(CopyHashedTest, WriterThatFailsEndsTheCopy) {
  const auto in = open_new("in");
  write_all(in.get(), bytes(40u << 20), "in");
  const auto full = open_file("/dev/full", O_WRONLY);
  EXPECT_EQ(code_of([&] { copy_hashed(in.get(), 0, full.get(), 40u << 20, "in", {}); }), ErrorCode::disk_full);
  EXPECT_EQ(code_of([&] { copy_hashed(in.get(), 0, full.get(), 100, "in", {}); }), ErrorCode::disk_full);
}

}  // namespace
}  // namespace liftlock
