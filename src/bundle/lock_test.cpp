#include "bundle/lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "bundle/fake_collector.hpp"
#include "bundle/fetch_lock.hpp"
#include "bundle/resolve.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view k_text = R"(
[stack]
name = "demo"
[thing.one]
wanted = ["a", "b"]
[thing.two]
wanted = ["b", "c"]
)";

class LockTest : public testing::Test {
 protected:
  Stack parse(std::string_view text) { return parse_stack(text, m_temporary.path(), m_collectors); }
  ResolveResult resolve(std::string_view text, const std::optional<Lock>& old = {},
                        const ResolveOptions& options = {}) {
    return resolve_stack(parse(text), old, options, m_collectors, m_context);
  }
  std::string version_of(const Lock& lock, std::string_view entry) {
    return lock.find("thing", entry)->artifacts.at(0).version;
  }
  FetchLockResult fetch(std::string_view text, const Lock& lock) {
    return fetch_lock(parse(text), lock, m_collectors, m_context, m_catalog,
                      {.artifact = [this](const Artifact& artifact, const OpenChecked& open, const FileInspections&) {
                        ++m_inspections;
                        Inspection out;
                        for (const auto& file : artifact.files) EXPECT_TRUE(open(file.digest).valid());
                        if (artifact.name == m_bad) {
                          out.findings.push_back({ErrorCode::schema_violation, artifact.files[0].path.text(), "bad"});
                        }
                        return out;
                      }});
  }

  TemporaryFolder m_temporary;
  BlobStore m_store{m_temporary.path() / "store"};
  Catalog m_catalog{m_temporary.path() / "store" / "catalog.db"};
  Downloader m_downloader{m_store, silent_reporter(), {.parallel = 2, .attempts = 1, .offline = true}};
  CollectContext m_context{
      m_store, m_downloader, silent_reporter(), m_temporary.path(), m_temporary.path() / "scratch", "linux/amd64"};
  FakeCollector m_collector;
  std::array<const Collector*, 1> m_collectors = {&m_collector};
  std::atomic<int> m_inspections{0};
  std::string m_bad;
};

TEST_F(LockTest, SurvivesItsText) {
  const auto lock = resolve(k_text).lock;
  EXPECT_EQ(parse_lock(write_lock(lock)), lock);
  EXPECT_EQ(artifacts_of(lock).size(), 3u) << "b is shared";
}

TEST_F(LockTest, SameInputSameLockByteForByte) {
  const auto first = write_lock(resolve(k_text).lock);
  EXPECT_EQ(write_lock(resolve(k_text).lock), first);
  const std::string shuffled = "[thing.two]\nwanted=['b','c']\n[thing.one]\nwanted=['a','b']\n[stack]\nname='demo'\n";
  EXPECT_EQ(write_lock(resolve(shuffled).lock), first);
}

TEST_F(LockTest, WhatIsResolvedAtOnceIsLockedAsInTurn) {
  std::string text = "[stack]\nname='demo'\n";
  for (int i = 0; i < 100; ++i) text += fmt::format("[thing.t{0}]\nwanted=['w{0}']\n", i);
  const auto in_turn = resolve(text);
  m_collector.at_once = true;
  const auto at_once = resolve(text);
  EXPECT_EQ(write_lock(at_once.lock), write_lock(in_turn.lock));
  EXPECT_EQ(at_once.resolved, in_turn.resolved);
  EXPECT_EQ(m_collector.resolutions, 200);
  EXPECT_EQ(code_of([&] { resolve(text + "[thing.broken]\nwanted=['x']\n"); }), ErrorCode::unresolvable);
}

TEST_F(LockTest, UnchangedDeclarationIsNotResolvedAgain) {
  const auto first = resolve(k_text);
  EXPECT_THAT(first.resolved, ElementsAre("thing.one", "thing.two"));
  m_collector.version = "2";
  const auto second = resolve(k_text, first.lock);
  EXPECT_EQ(m_collector.resolutions, 2);
  EXPECT_THAT(second.kept, ElementsAre("thing.one", "thing.two"));
  EXPECT_EQ(write_lock(second.lock), write_lock(first.lock));
  EXPECT_EQ(m_downloader.requests(), 0u);
}

TEST_F(LockTest, AChangedEntryAloneIsResolvedAgain) {
  const std::string apart = "[stack]\nname='demo'\n[thing.one]\nwanted=['a']\n[thing.two]\nwanted=['c']\n";
  const auto first = resolve(apart).lock;
  m_collector.version = "2";
  const auto second = resolve("[stack]\nname='demo'\n[thing.one]\nwanted=['a']\n[thing.two]\nwanted=['d']\n", first);
  EXPECT_THAT(second.resolved, ElementsAre("thing.two"));
  EXPECT_EQ(version_of(second.lock, "one"), "1");
  EXPECT_EQ(version_of(second.lock, "two"), "2");
  const auto third = resolve("[stack]\nname='demo'\n[thing.one]\nwanted=['a']\n", second.lock);
  EXPECT_THAT(third.removed, ElementsAre("thing.two"));
}

TEST_F(LockTest, GcBesideAFetchTakesNothingOfIt) {
  const auto lock = resolve(k_text).lock;
  const auto collect_garbage = [&](const Artifact&, const OpenChecked&, const FileInspections&) {
    Catalog other(m_temporary.path() / "store" / "catalog.db");
    remove_abandoned(m_store, other, find_abandoned(m_store, other, now() + std::chrono::hours(1)));
    remove_garbage(m_store, other, find_garbage(m_store, other));
    return Inspection{};
  };
  fetch_lock(parse(k_text), lock, m_collectors, m_context, m_catalog, {.artifact = collect_garbage});
  for (const auto& artifact : m_catalog.artifacts()) {
    for (const auto& file : artifact.files) EXPECT_TRUE(m_store.contains(file.digest)) << file.path.text();
  }
  EXPECT_THAT(m_catalog.pins(), IsEmpty());
}

TEST_F(LockTest, UpdateMovesOnlyTheNamedEntry) {
  const std::string apart = "[stack]\nname='demo'\n[thing.one]\nwanted=['a']\n[thing.two]\nwanted=['c']\n";
  const auto first = resolve(apart).lock;
  m_collector.version = "2";
  for (const auto* named : {"two", "thing.two"}) {
    const auto second = resolve(apart, first, {.update = {named}}).lock;
    EXPECT_EQ(version_of(second, "one"), "1");
    EXPECT_EQ(version_of(second, "two"), "2");
  }
  EXPECT_EQ(version_of(resolve(apart, first, {.scope = ResolveOptions::Update::all}).lock, "one"), "2");
  EXPECT_EQ(code_of([&] { resolve(apart, first, {.update = {"tow"}}); }), ErrorCode::usage);
}

TEST_F(LockTest, EditedLockIsRefused) {
  const auto good = write_lock(resolve(k_text).lock);
  auto version = good;
  version.replace(version.find("\"version\": \"1\""), 14, "\"version\": \"9\"");
  EXPECT_EQ(code_of([&] { parse_lock(version); }), ErrorCode::lock_invalid);
  EXPECT_EQ(code_of([&] { parse_lock(good + "\n"); }), ErrorCode::lock_invalid);
  EXPECT_EQ(code_of([&] { parse_lock(good.substr(0, good.size() / 2)); }), ErrorCode::lock_invalid);
  auto later = good;
  later.replace(later.find("liftlock.lock/1"), 15, "liftlock.lock/2");
  EXPECT_EQ(code_of([&] { parse_lock(later); }), ErrorCode::too_new);
  EXPECT_EQ(code_of([&] { read_lock(m_temporary.path() / "none"); }), ErrorCode::lock_missing);
}

TEST_F(LockTest, NoFlippedBitOfALockIsAccepted) {
  const auto good = write_lock(resolve(k_text).lock);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bad = good;
      bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
      const auto code = code_of([&] { parse_lock(bad); });
      EXPECT_TRUE(code == ErrorCode::lock_invalid || code == ErrorCode::too_new) << bad.substr(at / 80 * 80, 160);
    }
  }
}

TEST_F(LockTest, ALockOfAnotherFormIsRefusedWhereverItsFilesStand) {
  const auto good = write_lock(resolve(k_text).lock);
  const auto refused = [&](std::string_view what, std::string_view by) {
    auto bad = good;
    bad.replace(bad.find(what), what.size(), by);
    EXPECT_EQ(code_of([&] { parse_lock(bad); }), ErrorCode::lock_invalid) << by;
  };
  refused("\"files\": [", "\"fil\\u0065s\": [");
  refused("\"files\": [", "\"files\": 7, \"more\": [");
  refused("\"files\": [", "\"files\": [], \"files\": [");
  refused("\"files\": [", "\"files\": [[");
  refused("\"artifacts\": [", "\"artifacts\": [[");
  refused("\"entries\": [", "\"entries\": [{\"artifacts\": [{\"files\": [");
  refused("\"entries\": [", "\"files\": [], \"entries\": [");
}

TEST_F(LockTest, TheDigestOfALockIsThatOfItsFile) {
  const auto file = m_temporary.path() / "liftlock.lock";
  const auto saved = save_lock(file, resolve(k_text).lock);
  EXPECT_EQ(saved.digest, sha256(read_file(file, 1u << 20)));
  EXPECT_EQ(read_lock_file(file).digest, saved.digest);
}

TEST_F(LockTest, CollidingPathsAreRefused) {
  for (const auto* pair : {"['a', 'A']", "['a', 'a/b']"}) {
    const auto text = fmt::format("[stack]\nname='demo'\n[thing.one]\nwanted={}\n", pair);
    EXPECT_EQ(code_of([&] { resolve(text); }), ErrorCode::path_collision) << pair;
  }
  const std::string one = "[stack]\nname='demo'\n[thing.one]\nwanted=['a']\n";
  const auto first = resolve(one).lock;
  m_collector.version = "2";  // the same path with other bytes, in another entry
  EXPECT_EQ(code_of([&] { resolve(one + "[thing.two]\nwanted=['a']\n", first); }), ErrorCode::path_collision);
}

TEST_F(LockTest, SavingTheSameLockDoesNotTouchTheFile) {
  const auto file = m_temporary.path() / "liftlock.lock";
  const auto lock = resolve(k_text).lock;
  EXPECT_TRUE(save_lock(file, lock).written);
  const auto before = fs::last_write_time(file);
  EXPECT_FALSE(save_lock(file, lock).written);
  EXPECT_EQ(fs::last_write_time(file), before);
  EXPECT_EQ(read_lock(file), lock);
}

TEST_F(LockTest, StalenessIsNamed) {
  const auto lock = resolve(k_text).lock;
  EXPECT_THAT(why_stale(parse(k_text), lock), IsEmpty());
  EXPECT_EQ(why_stale(parse("[stack]\nname='demo'\n[thing.one]\nwanted=['a', 'b']\n"), lock),
            "[thing.two] is no longer in the stack");
  EXPECT_EQ(code_of([&] { fetch("[stack]\nname='demo'\n[thing.one]\nwanted=['x']\n", lock); }), ErrorCode::lock_stale);
}

TEST_F(LockTest, FetchFillsTheStoreOnceAndRegistersTheSet) {
  const auto lock = resolve(k_text).lock;
  const auto first = fetch(k_text, lock);
  EXPECT_EQ(first.fetched, 3u);
  EXPECT_EQ(m_inspections, 3);
  EXPECT_THAT(m_catalog.sets(), ElementsAre("stack/demo"));
  EXPECT_EQ(m_catalog.artifacts().size(), 3u);
  const auto second = fetch(k_text, lock);
  EXPECT_EQ(second.fetched, 0u);
  EXPECT_EQ(m_inspections, 3) << "the same content is not inspected twice";
  EXPECT_EQ(m_downloader.requests(), 0u);
}

TEST_F(LockTest, WhatAnInspectorRefusesIsNotRegistered) {
  const auto lock = resolve(k_text).lock;
  m_bad = "c";
  EXPECT_EQ(code_of([&] { fetch(k_text, lock); }), ErrorCode::schema_violation);
  EXPECT_EQ(code_of([&] { fetch(k_text, lock); }), ErrorCode::schema_violation) << "nor when all is there already";
  EXPECT_THAT(m_catalog.sets(), IsEmpty());
  m_bad.clear();
  EXPECT_EQ(fetch(k_text, lock).fetched, 0u);
}

TEST_F(LockTest, ALostFileIsFetchedAgain) {
  const auto lock = resolve(k_text).lock;
  fetch(k_text, lock);
  m_store.remove(lock.entries[0].artifacts[0].files[0].digest);
  EXPECT_EQ(fetch(k_text, lock).fetched, 1u);
}

/// A file of the user's that the store refers to for this digest.
void refer(BlobStore& store, const fs::path& at, const std::string& text, const Digest& digest) {
  write_file_atomically(at, text);
  const auto fd = open_file(at, O_RDONLY);
  store.references().add("list", {{.digest = digest, .file = at, .identity = identity_of(stat_of(fd.get(), "it"))}});
}

TEST_F(LockTest, ACopyOfAFileWithOtherBytesNamesIt) {
  const auto lock = resolve(k_text).lock;
  const auto at = m_temporary.path() / "lie";
  refer(m_store, at, "other bytes", lock.entries[0].artifacts[0].files[0].digest);
  try {
    fetch(k_text, lock);
    ADD_FAILURE() << "it was copied";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::upstream_changed);
    EXPECT_THAT(error.message(), testing::HasSubstr(at.string()));
  }
}

TEST_F(LockTest, AFileThatChangesWhileItIsToBeCopiedIsGotFromItsOrigin) {
  const auto lock = resolve(k_text).lock;
  const auto& file = lock.entries[0].artifacts[0].files[0];
  const auto at = m_temporary.path() / "edited";
  refer(m_store, at, "content of a 1", file.digest);
  ASSERT_TRUE(m_store.contains(file.digest));
  // The fetch has looked at the file once it waits here.
  std::optional<FileLock> held = lock_batch(m_store, "fetch/demo", FileLock::Wait::no);
  std::jthread fetching([&] { EXPECT_NO_THROW(fetch(k_text, lock)); });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  write_file_atomically(at, "content of b 1");
  held.reset();
  fetching.join();
  EXPECT_TRUE(m_store.holds(file.digest));
}

}  // namespace
}  // namespace liftlock
