#include "store/maintenance.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"

namespace liftlock {
namespace {

struct MaintenanceTest : testing::Test {
  TemporaryFolder folder;
  BlobStore store{folder.path() / "store"};
  Catalog catalog{folder.path() / "store" / "catalog.db"};

  ArtifactFile put(const std::string& path, const std::string& text) {
    return {.path = RelPath::parse(path), .size = text.size(), .digest = store.put(text), .origin = "", .evidence = {}};
  }
  Artifact publish(std::vector<ArtifactFile> files) {
    Artifact artifact{
        .kind = "model", .name = "m", .version = "1", .license = "", .needs = {}, .files = std::move(files)};
    catalog.publish({.channel = "demo",
                     .sequence = 1,
                     .bundle_digest = sha256("b"),
                     .bundle_json = "b",
                     .published_at = now(),
                     .artifacts = {artifact},
                     .other_files = {}});
    return artifact;
  }
  void flip_a_bit(const Digest& digest, off_t at) {
    fs::permissions(store.path(digest), fs::perms::owner_all);
    const auto fd = open_file(store.path(digest), O_RDWR);
    char byte = 0;
    ASSERT_EQ(::pread(fd.get(), &byte, 1, at), 1);
    byte = static_cast<char>(byte ^ 0x10);
    ASSERT_EQ(::pwrite(fd.get(), &byte, 1, at), 1);
  }
};

using GcTest = MaintenanceTest;
using ScrubTest = MaintenanceTest;
using ExportTest = MaintenanceTest;

TEST_F(GcTest, RemovesOnlyWhatNothingReferencesOrPins) {
  const auto artifact = publish({put("models/m/a", "used")});
  const auto pinned = store.put("pinned");
  catalog.pin("batch", {pinned});
  std::vector<Digest> loose;
  for (int i = 0; i < 600; ++i) loose.push_back(store.put("loose" + std::to_string(i)));
  const auto garbage = find_garbage(store, catalog);
  EXPECT_EQ(garbage.size(), 600u);
  // Pinned between the look and the removal.
  catalog.pin("late", {loose[300]});
  EXPECT_EQ(remove_garbage(store, catalog, garbage).size(), 599u);
  EXPECT_TRUE(store.contains(artifact.files[0].digest));
  EXPECT_TRUE(store.contains(pinned));
  EXPECT_TRUE(store.contains(loose[300]));
  EXPECT_FALSE(store.contains(loose[299]));
}

TEST_F(GcTest, ALayerOfTwoImagesStaysAsLongAsOneOfThemIsLive) {
  const auto layer = put("images/blobs/sha256/shared", "layer");
  std::vector<Artifact> images;
  for (const auto* name : {"web", "worker"}) {
    images.push_back({.kind = "image", .name = name, .version = "1", .license = "", .needs = {}, .files = {}});
    images.back().files = {put(std::string("images/blobs/sha256/") + name, name), layer};
    catalog.publish({.channel = name,
                     .sequence = 1,
                     .bundle_digest = sha256(name),
                     .bundle_json = name,
                     .published_at = now(),
                     .artifacts = {images.back()},
                     .other_files = {}});
  }
  EXPECT_EQ(catalog.users_of(layer.digest), (std::vector<std::string>{"image:web@1", "image:worker@1"}));
  catalog.retire("web", 1);
  EXPECT_EQ(remove_garbage(store, catalog, find_garbage(store, catalog)).size(), 1u);
  export_artifact(store, images[1], folder.path() / "out", ExportLayout::below_top, silent_reporter());
  EXPECT_EQ(read_file(folder.path() / "out/blobs/sha256/shared", 100), "layer");
  catalog.retire("worker", 1);
  EXPECT_EQ(remove_garbage(store, catalog, find_garbage(store, catalog)).size(), 2u);
}

TEST_F(GcTest, BlobThatIsOpenIsReadToItsEnd) {
  const auto digest = store.put("being served");
  const auto reader = store.open(digest);
  remove_garbage(store, catalog, find_garbage(store, catalog));
  EXPECT_FALSE(store.contains(digest));
  EXPECT_EQ(read_all(reader.get(), 100, "x"), "being served");
}

TEST_F(GcTest, AbandonedBatchGoesAndRunningOneStays) {
  {
    StagedBlobs left(store, "left");
    write_all(left.create(sha256("x")).get(), "x", "x");
  }
  catalog.pin("left", {sha256("x")});
  catalog.pin("running", {sha256("y")});
  catalog.pin("no-batch", {sha256("z")});
  const StagedBlobs running(store, "running");
  EXPECT_TRUE(find_abandoned(store, catalog, now() - std::chrono::hours(1)).batches.empty());
  const auto abandoned = find_abandoned(store, catalog, now() + std::chrono::hours(1));
  ASSERT_EQ(abandoned.batches.size(), 1u);
  ASSERT_EQ(abandoned.pins.size(), 1u);
  remove_abandoned(store, catalog, abandoned);
  EXPECT_EQ(catalog.referenced(), std::set<Digest>{sha256("y")});
  EXPECT_FALSE(fs::exists(folder.path() / "store/staging/left"));
  EXPECT_TRUE(fs::exists(folder.path() / "store/staging/running"));
}

/// What an ingest that died a day ago left: a batch, and pins of its name.
void leave_batch(BlobStore& store, Catalog& catalog, const std::string& name, const Digest& digest) {
  const auto yesterday = now() - std::chrono::days(1);
  ASSERT_EQ(::setenv("SOURCE_DATE_EPOCH", std::to_string(yesterday.time_since_epoch().count()).c_str(), 1), 0);
  catalog.pin(name, {digest});
  ASSERT_EQ(::unsetenv("SOURCE_DATE_EPOCH"), 0);
  { const StagedBlobs staged(store, name); }
  fs::last_write_time(store.folder() / "staging" / name, fs::file_time_type::clock::now() - std::chrono::days(1));
}

TEST_F(GcTest, RunThatResumesBetweenTheLookAndTheRemovalKeepsItsPins) {
  const auto needed = store.put("in the store already");
  leave_batch(store, catalog, "resumed", needed);
  auto abandoned = find_abandoned(store, catalog, now() - std::chrono::hours(1));
  ASSERT_EQ(abandoned.batches.size(), 1u);

  Catalog other(folder.path() / "store" / "catalog.db");
  StagedBlobs resumed(store, "resumed");
  other.pin("resumed", {needed});
  ASSERT_TRUE(resumed.has(needed));
  // Whatever the age: the process works on it.
  abandoned.before = now() + std::chrono::hours(1);
  abandoned.pins = catalog.pins();
  remove_abandoned(store, catalog, abandoned);
  remove_garbage(store, catalog, find_garbage(store, catalog));
  EXPECT_TRUE(store.contains(needed));

  resumed.commit();
  remove_abandoned(store, catalog, abandoned);
  EXPECT_EQ(catalog.referenced(), std::set<Digest>{needed})
      << "between commit and publication the pins are all there is";
}

TEST_F(GcTest, PinsThatWereRenewedSinceTheLookStay) {
  leave_batch(store, catalog, "renewed", sha256("x"));
  const auto abandoned = find_abandoned(store, catalog, now() - std::chrono::hours(1));
  Catalog(folder.path() / "store" / "catalog.db").pin("renewed", {sha256("y")});
  remove_abandoned(store, catalog, abandoned);
  EXPECT_EQ(catalog.referenced(), std::set<Digest>{sha256("y")});
}

TEST_F(ScrubTest, SoundStoreHasNoFindings) {
  publish({put("models/m/a", "one"), put("models/m/b", std::string(700'000, 'x'))});
  const auto report = scrub(store, catalog, Quarantine::no, silent_reporter());
  EXPECT_EQ(report.blobs, 2u);
  EXPECT_EQ(report.bytes, 700'003u);
  EXPECT_TRUE(report.findings.empty());
}

TEST_F(ScrubTest, ScrubFindsASingleFlippedBit) {
  const auto artifact = publish({put("models/m/a", "fine"), put("models/m/b", std::string(700'000, 'x'))});
  flip_a_bit(artifact.files[1].digest, 654'321);
  auto report = scrub(store, catalog, Quarantine::no, silent_reporter());
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].kind, ScrubFinding::Kind::corrupt);
  EXPECT_EQ(report.findings[0].subject, artifact.files[1].digest.text());
  EXPECT_EQ(report.findings[0].users, std::vector<std::string>{"model:m@1"});
  EXPECT_TRUE(store.contains(artifact.files[1].digest));

  report = scrub(store, catalog, Quarantine::yes, silent_reporter());
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_FALSE(store.contains(artifact.files[1].digest));
  EXPECT_TRUE(fs::exists(report.findings[0].quarantined_at));
  // From now on it is missing, until it is ingested again.
  report = scrub(store, catalog, Quarantine::no, silent_reporter());
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].kind, ScrubFinding::Kind::missing);
}

TEST_F(ScrubTest, TornTailAndStrayFileAreFound) {
  const auto artifact = publish({put("models/m/a", "torn at its end")});
  fs::permissions(store.path(artifact.files[0].digest), fs::perms::owner_all);
  fs::resize_file(store.path(artifact.files[0].digest), 4);
  write_file_atomically(folder.path() / "store/blobs/sha256/aa/notes.txt", "x");
  const auto report = scrub(store, catalog, Quarantine::no, silent_reporter());
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].kind, ScrubFinding::Kind::corrupt);
  EXPECT_EQ(report.findings[1].kind, ScrubFinding::Kind::stray);
  EXPECT_EQ(report.findings[1].subject, "blobs/sha256/aa/notes.txt");
}

TEST_F(ExportTest, ExportIsNotALinkToTheStore) {
  const auto artifact = publish({put("models/m/a", "content")});
  const auto exported = export_artifact(store, artifact, folder.path() / "out", ExportLayout::flat, silent_reporter());
  ASSERT_EQ(exported.size(), 1u);
  EXPECT_EQ(exported[0].path, folder.path() / "out/a");
  EXPECT_EQ(stat_of(store.open(artifact.files[0].digest).get(), "x").st_nlink, 1u);
  {
    const auto fd = open_file(exported[0].path, O_RDWR);
    ASSERT_EQ(::pwrite(fd.get(), "EDITED!", 7, 0), 7);
  }
  EXPECT_TRUE(scrub(store, catalog, Quarantine::no, silent_reporter()).findings.empty());
}

TEST_F(ExportTest, LayoutKeepsOrDropsSharedFolders) {
  const auto artifact = publish({put("models/m/a", "1"), put("models/m/sub/b", "2")});
  const auto flat = export_artifact(store, artifact, folder.path() / "flat", ExportLayout::flat, silent_reporter());
  EXPECT_EQ(flat[1].path, folder.path() / "flat/sub/b");
  const auto tree = export_artifact(store, artifact, folder.path() / "tree", ExportLayout::bundle, silent_reporter());
  EXPECT_EQ(tree[1].path, folder.path() / "tree/models/m/sub/b");
  EXPECT_EQ(read_file(tree[1].path, 10), "2");
}

TEST_F(ExportTest, CorruptBlobIsNotExported) {
  const auto artifact = publish({put("models/m/a", "content")});
  flip_a_bit(artifact.files[0].digest, 3);
  const auto out = folder.path() / "out";
  EXPECT_EQ(code_of([&] { export_artifact(store, artifact, out, ExportLayout::flat, silent_reporter()); }),
            ErrorCode::blob_corrupt);
  EXPECT_TRUE(walk(out, 10).empty());
}

TEST_F(ExportTest, OtherBytesUnderTheNameStay) {
  const auto artifact = publish({put("models/m/a", "content")});
  const auto out = folder.path() / "out";
  export_artifact(store, artifact, out, ExportLayout::flat, silent_reporter());
  EXPECT_NO_THROW(export_artifact(store, artifact, out, ExportLayout::flat, silent_reporter()));
  write_file_atomically(out / "a", "mine");
  EXPECT_EQ(code_of([&] { export_artifact(store, artifact, out, ExportLayout::flat, silent_reporter()); }),
            ErrorCode::immutable);
  EXPECT_EQ(read_file(out / "a", 10), "mine");
}

TEST_F(ExportTest, MissingBlobIsNamed) {
  auto artifact = publish({put("models/m/a", "content")});
  store.remove(artifact.files[0].digest);
  EXPECT_EQ(
      code_of([&] { export_artifact(store, artifact, folder.path() / "out", ExportLayout::flat, silent_reporter()); }),
      ErrorCode::not_fetched);
}

}  // namespace
}  // namespace liftlock
