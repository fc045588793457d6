#include "store/references.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

struct ReferencesTest : testing::Test {
  TemporaryFolder folder;
  fs::path root = folder.path() / "store";
  BlobStore store{root};

  fs::path file(const std::string& name) const { return folder.path() / name; }
  Reference refer(const std::string& name, const std::string& text) {
    write_file_atomically(file(name), text);
    const auto fd = open_file(file(name), O_RDONLY);
    return {.digest = sha256(text), .file = file(name), .identity = identity_of(stat_of(fd.get(), name))};
  }
  /// Written over in place: the same inode and size.
  void overwrite(const std::string& name, const std::string& text) const {
    const auto fd = open_file(file(name), O_WRONLY);
    write_all(fd.get(), text, name);
  }
  /// Gives the time of change of a clock that ticks in milliseconds a chance to differ.
  static void wait() { ::usleep(20'000); }
  static std::string content(const UniqueFd& fd) { return read_all(fd.get(), 1 << 20, "a blob"); }
};

TEST_F(ReferencesTest, AFileElsewhereIsABlobAsLongAsItIsWhatItWas) {
  const auto made = refer("a", "first");
  EXPECT_FALSE(store.contains(made.digest));
  store.references().add("list", {made});
  EXPECT_TRUE(store.contains(made.digest));
  EXPECT_FALSE(store.holds(made.digest));
  EXPECT_EQ(store.size(made.digest), 5u);
  EXPECT_EQ(content(store.open(made.digest)), "first");
  const BlobStore other(root);
  EXPECT_EQ(content(other.open(made.digest)), "first") << "another process";
  wait();
  overwrite("a", "other");
  EXPECT_FALSE(store.contains(made.digest));
  EXPECT_EQ(store.size(made.digest), std::nullopt);
  EXPECT_EQ(code_of([&] { store.open(made.digest); }), ErrorCode::upstream_changed);
  EXPECT_EQ(code_of([&] { store.path(made.digest); }), ErrorCode::upstream_changed);
  fs::remove(file("a"));
  EXPECT_EQ(code_of([&] { store.open(made.digest); }), ErrorCode::upstream_changed);
  EXPECT_EQ(code_of([&] { store.open(sha256("never seen")); }), ErrorCode::not_found);
}

TEST_F(ReferencesTest, EachMarkOfIdentityCounts) {
  const auto good = refer("a", "first");
  const auto is_contained = [&](const FileIdentity& identity) {
    const fs::path other = folder.path() / "other";
    BlobStore fresh(other);
    fresh.references().add("list", {{.digest = good.digest, .file = good.file, .identity = identity}});
    const bool contained = fresh.contains(good.digest);
    fs::remove_all(other);
    return contained;
  };
  EXPECT_TRUE(is_contained(good.identity));
  for (int mark = 0; mark < 5; ++mark) {
    auto identity = good.identity;
    if (mark == 0) ++identity.device;
    if (mark == 1) ++identity.inode;
    if (mark == 2) ++identity.size;
    if (mark == 3) ++identity.modified;
    if (mark == 4) ++identity.changed;
    EXPECT_FALSE(is_contained(identity)) << mark;
  }
}

TEST_F(ReferencesTest, ALinkOrAPipeInItsPlaceIsNotTheFile) {
  const auto made = refer("a", "first");
  store.references().add("list", {made});
  fs::rename(file("a"), file("b"));
  fs::create_symlink(file("b"), file("a"));
  EXPECT_FALSE(store.contains(made.digest));
  EXPECT_EQ(code_of([&] { store.open(made.digest); }), ErrorCode::upstream_changed);
  fs::remove(file("a"));
  ASSERT_EQ(::mkfifo(file("a").c_str(), 0600), 0);
  EXPECT_EQ(code_of([&] { store.open(made.digest); }), ErrorCode::upstream_changed);
}

TEST_F(ReferencesTest, WhatCannotBeOpenedIsNotTakenForGone) {
  const auto made = refer("a", "first");
  store.references().add("list", {made});
  ASSERT_TRUE(store.contains(made.digest));
  // A process without a free descriptor stands for a disk or a server that does not answer.
  struct rlimit was {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &was), 0);
  auto few = was;
  few.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto code = code_of([&] { store.references().open(made.digest); });
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &was), 0);
  EXPECT_EQ(code, ErrorCode::io_error);
  EXPECT_EQ(content(store.open(made.digest)), "first");
}

TEST_F(ReferencesTest, OneOfSeveralPlacesSuffices) {
  const auto one = refer("a", "same"), two = refer("b", "same");
  store.references().add("one", {one});
  store.references().add("two", {two});
  fs::remove(file("a"));
  EXPECT_EQ(content(BlobStore(root).open(one.digest)), "same");
}

TEST_F(ReferencesTest, AListKeepsWhatIsStillTrue) {
  const auto stays = refer("a", "a"), goes = refer("b", "b"), comes = refer("c", "c");
  store.references().add("list", {stays, goes});
  fs::remove(file("b"));
  store.references().add("list", {comes});
  const auto lists = BlobStore(root).references().lists();
  ASSERT_EQ(lists.size(), 1u);
  EXPECT_EQ(lists[0].digests.size(), 2u);
  EXPECT_TRUE(BlobStore(root).contains(stays.digest));
  EXPECT_TRUE(BlobStore(root).contains(comes.digest));
}

TEST_F(ReferencesTest, WhoReadsByNameGetsACopy) {
  const auto made = refer("a", "first");
  store.references().add("list", {made});
  EXPECT_EQ(read_file(store.path(made.digest), 100), "first");
  EXPECT_TRUE(store.holds(made.digest));
  fs::remove(file("a"));
  EXPECT_EQ(content(store.open(made.digest)), "first");
  // The same identity, and other bytes: never under the digest's name.
  auto lie = refer("b", "truth");
  lie.digest = sha256("a lie");
  store.references().add("list", {lie});
  EXPECT_EQ(code_of([&] { store.path(lie.digest); }), ErrorCode::upstream_changed);
  EXPECT_FALSE(store.holds(lie.digest));
}

TEST_F(ReferencesTest, PutMakesABlobOfItsOwn) {
  const auto made = refer("a", "first");
  store.references().add("list", {made});
  store.put("first");
  EXPECT_TRUE(store.holds(made.digest));
}

TEST_F(ReferencesTest, ADamagedListIsToldAndNamed) {
  const auto made = refer("a", "first");
  store.references().add("list", {made});
  const auto list = root / "references" / "list.list";
  const auto good = read_file(list, 10'000);
  for (const auto& bad :
       {good.substr(0, good.size() - 1), good.substr(1), "x" + good, good + "\n", good.substr(0, 65) + "1 2 3 4 /a\n",
        good.substr(0, 65) + "1 2 3 4 5 a\n", good.substr(0, 65) + "-1 2 3 4 5 /a\n", std::string("\n")}) {
    write_file_atomically(list, bad);
    EXPECT_EQ(code_of([&] { BlobStore(root).contains(made.digest); }), ErrorCode::store_invalid) << bad;
  }
}

TEST_F(ReferencesTest, ScrubReadsThemTellsOfDeadOnesAndMovesNothing) {
  Catalog catalog(root / "catalog.db");
  const auto good = refer("good", "good"), gone = refer("gone", "gone");
  auto wrong = refer("wrong", "wrong");
  wrong.digest = sha256("what was locked");
  store.references().add("list", {good, gone, wrong});
  std::vector<ArtifactFile> files;
  for (const auto& reference : {good, gone, wrong}) {
    files.push_back({.path = RelPath::parse("files/" + reference.file.filename().string()),
                     .size = reference.identity.size,
                     .digest = reference.digest,
                     .origin = "",
                     .evidence = {}});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  catalog.replace_set("stack/demo",
                      {{.kind = "file", .name = "f", .version = "1", .license = "", .needs = {}, .files = files}});
  EXPECT_EQ(scrub(store, catalog, Quarantine::no, silent_reporter()).findings.size(), 1u) << "only the wrong one";
  fs::remove(file("gone"));
  const auto report = scrub(store, catalog, Quarantine::yes, silent_reporter());
  ASSERT_EQ(report.findings.size(), 2u);
  EXPECT_EQ(report.findings[0].kind, ScrubFinding::Kind::corrupt);
  EXPECT_NE(report.findings[0].detail.find(file("wrong").string()), std::string::npos) << report.findings[0].detail;
  EXPECT_EQ(report.findings[0].quarantined_at, "");
  EXPECT_TRUE(fs::exists(file("wrong")));
  EXPECT_EQ(report.findings[1].kind, ScrubFinding::Kind::missing);
  EXPECT_NE(report.findings[1].detail.find(file("gone").string()), std::string::npos) << report.findings[1].detail;
}

/// Takes a file away as soon as something begins.
class TakesAway final : public Reporter {
 public:
  explicit TakesAway(fs::path file) : m_file(std::move(file)) {}
  TaskId begin(std::string_view, Unit, std::uint64_t) override {
    fs::remove(m_file);
    return 0;
  }
  void grow(TaskId, std::uint64_t) override {}
  void advance(TaskId, std::uint64_t) override {}
  void end(TaskId) override {}
  void note(std::string_view) override {}
  void warn(std::string_view) override {}

 private:
  fs::path m_file;
};

TEST_F(ReferencesTest, WhatGoesWhileItIsScrubbedIsToldOnceAndOnlyWhereItIsRequired) {
  Catalog catalog(root / "catalog.db");
  const auto made = refer("a", "a");
  store.references().add("list", {made});
  catalog.replace_set(
      "stack/demo",
      {{.kind = "file",
        .name = "f",
        .version = "1",
        .license = "",
        .needs = {},
        .files = {
            {.path = RelPath::parse("files/a"), .size = 1, .digest = made.digest, .origin = "", .evidence = {}}}}});
  TakesAway reporter(file("a"));
  const auto report = scrub(store, catalog, Quarantine::yes, reporter);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.findings[0].kind, ScrubFinding::Kind::missing);

  const auto another = refer("b", "b"), same = refer("c", "b");
  store.references().add("list", {another});
  store.references().add("other", {same});
  catalog.replace_set(
      "stack/demo",
      {{.kind = "file",
        .name = "f",
        .version = "1",
        .license = "",
        .needs = {},
        .files = {
            {.path = RelPath::parse("files/b"), .size = 1, .digest = another.digest, .origin = "", .evidence = {}}}}});
  TakesAway one_of_two(file("b"));
  EXPECT_TRUE(scrub(store, catalog, Quarantine::yes, one_of_two).findings.empty()) << "the other is as good";
}

TEST_F(ReferencesTest, GcDropsListsOfWhichNothingIsUsedOnceTheyAreOld) {
  Catalog catalog(root / "catalog.db");
  const auto used = refer("used", "used"), loose = refer("loose", "loose");
  store.references().add("used", {used});
  store.references().add("loose", {loose});
  catalog.pin("batch", {used.digest});
  EXPECT_TRUE(find_abandoned(store, catalog, now() - std::chrono::hours(1)).lists.empty()) << "too young";
  const auto abandoned = find_abandoned(store, catalog, now() + std::chrono::hours(1));
  ASSERT_EQ(abandoned.lists.size(), 1u);
  EXPECT_EQ(abandoned.lists[0].name, "loose");
  remove_abandoned(store, catalog, abandoned);
  EXPECT_FALSE(store.contains(loose.digest));
  EXPECT_TRUE(fs::exists(file("loose")));
}

}  // namespace
}  // namespace liftlock
