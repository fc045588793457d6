// fs-verity at the load gate, with a double in the kernel's place: what we do with what it says is proven here, and
// nothing of any kernel (os/verity_file_test.cpp has what can be said of that).
#include "engine/page_check.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "base/code_of.hpp"
#include "crypto/verity.hpp"
#include "engine/model_fixture.hpp"

namespace liftlock::engine {
namespace {

using testing_support::ModelFixture;
using testing_support::overwrite;

/// Gives the file's owner a right and takes it away again, until the kernel's coarse clock shows it.
void move_ctime(int fd) {
  const auto before = stat_of(fd, "a file");
  const auto ctime = state_of(before).ctime_ns;
  do {
    ASSERT_EQ(::fchmod(fd, (before.st_mode & 07777) ^ S_IWUSR), 0);
    ASSERT_EQ(::fchmod(fd, before.st_mode & 07777), 0);
  } while (state_of(stat_of(fd, "a file")).ctime_ns == ctime);
}

/// Keeps what it is told to, by the tree of the bytes that are there then; knows files by their inodes. As a real
/// one's, an enable() moves the file's ctime, also where it fails late: for want of room, say.
class DoubleKernel {
 public:
  VerityCalls calls() {
    return {.enable =
                [this](int fd) {
                  ++enabled;
                  move_ctime(fd);
                  if (is_busy) return VerityOutcome::busy;
                  if (refuses) return VerityOutcome::refused;
                  kept.insert_or_assign(inode(fd), tree_of(fd));
                  return VerityOutcome::kept;
                },
            .measure = [this](int fd) -> std::optional<Digest> {
              const auto found = kept.find(inode(fd));
              return found == kept.end() ? std::nullopt : std::optional(found->second);
            }};
  }
  static ino_t inode(int fd) { return stat_of(fd, "a file").st_ino; }
  static Digest tree_of(int fd) { return digests_of_file(fd, regular_size(fd, "a file"), "a file", {}).verity; }

  bool refuses = false, is_busy = false;
  int enabled = 0;
  std::map<ino_t, Digest> kept;
};

class PageCheck : public ::testing::Test {
 protected:
  /// @param meanwhile done once, when bytes were hashed and the check goes on
  CheckedModel pass(const std::string& name = "a", const std::function<void()>& meanwhile = {}) {
    bool is_done = false;
    return pass_gate(fixture.store, log, policy, require_model(fixture.catalog, name), "ada", Json::object(),
                     [&](std::uint64_t) {
                       if (meanwhile && !std::exchange(is_done, true)) meanwhile();
                     });
  }
  FileState state() { return state_of(stat_of(open_file(blob, O_RDONLY).get(), "a file")); }
  Json last() { return parse_json(log.read(log.size() - 1).event.detail); }
  ino_t inode() { return DoubleKernel::inode(open_file(blob, O_RDONLY).get()); }

  ModelFixture fixture;
  fs::path blob = fixture.add_model("a", "GGUF of a model");
  AuditLog log{fixture.folder.path() / "audit", "test"};
  DoubleKernel kernel;
  GatePolicy policy{.countersigners = {},
                    .countersignatures = fixture.folder.path() / "countersignatures",
                    .trust_folder = fixture.folder.path() / "trust",
                    .verified_file = fixture.folder.path() / "verified.json",
                    .verity = kernel.calls()};
};

TEST_F(PageCheck, WhatTheKernelKeepsIsHashedOnceAlsoWherePolicyWantsEveryByte) {
  policy.recheck = true;
  const auto first = pass();
  EXPECT_EQ(first.check, Check::every_byte);
  EXPECT_EQ(first.assurance, Assurance::fs_verity) << "from the first load on";
  EXPECT_EQ(kernel.enabled, 1);
  EXPECT_EQ(last().at("by"), "sha256");
  EXPECT_EQ(last().at("files").at(0).at("fsverity_sha256"), kernel.kept.at(inode()).hex());
  // Nothing of it is read now: other bytes, which a kernel would not let through, would be found by who hashes.
  overwrite(blob, "X", 5);
  EXPECT_EQ(pass().check, Check::as_read);
  EXPECT_EQ(last().at("check"), "as-read");
  EXPECT_EQ(last().at("by"), "fs-verity");
  EXPECT_EQ(last().at("assurance"), "fs-verity");
  EXPECT_EQ(last().at("since"), 0);
  EXPECT_FALSE(last().contains("files")) << "later loads lean on the one that hashed";
  policy.recheck = false;
  EXPECT_EQ(pass().check, Check::as_read) << "better than what nobody touched";
  EXPECT_EQ(kernel.enabled, 1);
}

TEST_F(PageCheck, WhoCanWriteTheFolderChangesNothingOfWhatTheKernelKeeps) {
  fs::permissions(blob.parent_path(), static_cast<fs::perms>(0777));
  EXPECT_EQ(pass().assurance, Assurance::fs_verity);
  const auto kept = pass();
  EXPECT_EQ(kept.assurance, Assurance::fs_verity);
  fs::remove(blob);
  write_file_atomically(blob, "GGUF of an enemy");
  EXPECT_EQ(read_all(kept.files[0].file.get(), 100, "model"), "GGUF of a model") << "it is the very file";
  EXPECT_EQ(code_of([&] { (void)pass(); }), ErrorCode::blob_corrupt) << "which nobody keeps";
}

// The kernel's word is compared, and never believed.
TEST_F(PageCheck, AnotherDigestThanTheLogHasIsAnotherModel) {
  (void)pass();
  kernel.kept.at(inode()) = sha256("a tree of other bytes");
  EXPECT_EQ(code_of([&] { (void)pass(); }), ErrorCode::blob_corrupt);
  EXPECT_EQ(last().at("error"), "blob-corrupt");
  EXPECT_EQ(last().at("stage"), "bytes");
  fs::remove(policy.verified_file);
  EXPECT_EQ(code_of([&] { (void)pass(); }), ErrorCode::blob_corrupt) << "nor where no earlier check is known";
}

TEST_F(PageCheck, AnEnemysFileThatTheKernelKeepsIsRefused) {
  (void)pass();
  for (const bool known : {true, false}) {
    fs::remove(blob);
    write_file_atomically(blob, "GGUF of an enemy");
    const auto fd = open_file(blob, O_RDONLY);
    kernel.calls().enable(fd.get());
    if (!known) fs::remove(policy.verified_file);
    EXPECT_EQ(code_of([&] { (void)pass(); }), ErrorCode::blob_corrupt) << known;
  }
}

TEST_F(PageCheck, WithoutAnEarlierCheckEveryByteIsHashedAgain) {
  (void)pass();
  fs::remove(policy.verified_file);
  const auto again = pass();
  EXPECT_EQ(again.check, Check::every_byte);
  EXPECT_EQ(again.assurance, Assurance::fs_verity);
  EXPECT_EQ(last().at("by"), "sha256");
  EXPECT_EQ(pass().check, Check::as_read);
}

TEST_F(PageCheck, AKernelThatRefusesLeavesLoadsAsTheyWere) {
  kernel.refuses = true;
  for (const auto* by : {"sha256", "fs-verity"}) {
    const auto model = pass();
    EXPECT_EQ(model.check, Check::every_byte);
    EXPECT_EQ(model.assurance, Assurance::store_user);
    EXPECT_EQ(last().at("by"), by);
  }
  policy.recheck = false;
  EXPECT_EQ(pass().check, Check::untouched);
}

// It moves the ctime, by which a load knows what nobody touched.
TEST_F(PageCheck, ARefusalThatComesLateIsTriedOnceAndCostsNoLoadAHash) {
  kernel.refuses = true;
  const auto first = pass();
  EXPECT_EQ(first.states.at(0), state()) << "what was hashed is what is there: check_again() need not hash it";
  policy.recheck = false;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(pass().check, Check::untouched);
  EXPECT_EQ(kernel.enabled, 1);
}

TEST_F(PageCheck, WhileAnotherOneIsAtWorkNothingIsRefusedForGood) {
  kernel.is_busy = true;
  EXPECT_EQ(pass().assurance, Assurance::store_user);
  kernel.is_busy = false;
  EXPECT_EQ(pass().assurance, Assurance::fs_verity);
  EXPECT_EQ(kernel.enabled, 2);
}

// Two models share a shard, or one is looked at while it is loaded.
TEST_F(PageCheck, WhatAnotherLoadHasTheKernelKeepMeanwhileWasNotChanged) {
  kernel.is_busy = true;
  int hashed = 0;
  const auto model = pass("a", [&] {
    ++hashed;
    kernel.is_busy = false;
    const auto fd = open_file(blob, O_RDONLY);
    kernel.calls().enable(fd.get());
  });
  EXPECT_EQ(hashed, 1);
  EXPECT_EQ(model.check, Check::every_byte);
  EXPECT_EQ(model.assurance, Assurance::fs_verity);
  EXPECT_EQ(model.states.at(0), state());
  EXPECT_EQ(pass().check, Check::as_read);
}

TEST_F(PageCheck, WhatWasOnlyTouchedMeanwhileIsHashedOnceMore) {
  policy.verity = testing_support::no_verity();
  const auto model = pass("a", [&] { move_ctime(open_file(blob, O_RDONLY).get()); });
  EXPECT_EQ(model.check, Check::every_byte);
  EXPECT_EQ(model.states.at(0), state());
}

TEST_F(PageCheck, WhatWasChangedMeanwhileIsRefusedAlsoWhereItsTimeWasPutBack) {
  policy.verity = testing_support::no_verity();
  EXPECT_EQ(code_of([&] {
              (void)pass("a", [&] {
                const auto time = fs::last_write_time(blob);
                overwrite(blob, "X", 5);
                fs::last_write_time(blob, time);
                move_ctime(open_file(blob, O_RDONLY).get());
              });
            }),
            ErrorCode::blob_corrupt);
}

TEST_F(PageCheck, AnotherTreeThanThatOfTheBytesThatWereHashedIsRefusedMeanwhileToo) {
  kernel.is_busy = true;
  EXPECT_EQ(code_of([&] {
              (void)pass("a", [&] {
                move_ctime(open_file(blob, O_RDONLY).get());
                kernel.kept.insert_or_assign(inode(), sha256("a tree of other bytes"));
              });
            }),
            ErrorCode::blob_corrupt);
}

TEST_F(PageCheck, OneFileThatIsNotKeptIsHashedWithAllOthers) {
  fixture.add_model("b", "GGUF of a model", Json::object(), "1", {{"mmproj-b.gguf", "a projector"}});  // the same blob
  kernel.refuses = true;
  (void)pass("b");
  kernel.kept.insert_or_assign(inode(), DoubleKernel::tree_of(open_file(blob, O_RDONLY).get()));
  const auto model = pass("b");
  EXPECT_EQ(model.check, Check::every_byte);
  EXPECT_EQ(model.assurance, Assurance::store_user) << "of the weakest file";
}

TEST_F(PageCheck, ItIsTheKernelsFromTheNextLoadOnWhereNobodyTouchedItBefore) {
  kernel.refuses = true;
  (void)pass();
  kernel.refuses = false;
  policy.verity_refusals = std::make_shared<VerityRefusals>();  // as after a restart
  policy.recheck = false;
  const auto untouched = pass();
  EXPECT_EQ(untouched.check, Check::untouched);
  EXPECT_EQ(untouched.assurance, Assurance::fs_verity) << "it has the tree of what was hashed then";
  EXPECT_EQ(pass().check, Check::as_read);
}

TEST_F(PageCheck, SealedMemoryAsksNothingOfIt) {
  policy.memory = ModelMemory::sealed;
  for (int i = 0; i < 2; ++i) {
    const auto model = pass();
    EXPECT_EQ(model.check, Check::every_byte);
    EXPECT_EQ(model.assurance, Assurance::sealed_memory);
  }
  EXPECT_EQ(kernel.enabled, 0);
}

TEST_F(PageCheck, GcAndScrubTakeItAway) {
  (void)pass();
  const auto digest = sha256("GGUF of a model");
  const auto place = fixture.store.quarantine(digest);
  EXPECT_TRUE(fs::exists(place));
  EXPECT_TRUE(fs::remove(place));
  kernel.kept.clear();  // as with the file
  fixture.store.put("GGUF of a model");
  EXPECT_EQ(pass().check, Check::every_byte) << "what came back is a new file";
  EXPECT_EQ(pass().check, Check::as_read);
  fixture.store.remove(digest);
  EXPECT_FALSE(fixture.store.holds(digest));
}

}  // namespace
}  // namespace liftlock::engine
