// What records/ahead promises: whoever was told that a record is durable finds it and its audit entry, wherever the
// process or the power ended, and whichever call failed.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "audit/audit_entry.hpp"
#include "base/code_of.hpp"
#include "base/encoding.hpp"
#include "crypto/hash.hpp"
#include "record/ahead_file.hpp"
#include "record/record_book.hpp"
#include "record/record_fixture.hpp"
#include "record/record_reader.hpp"
#include "record/segment_format.hpp"
#include "record/segment_writer.hpp"
#include "record/settler.hpp"

namespace liftlock {
namespace {

/// What happens at the n-th write or sync of a file below the folder that is watched.
struct Fault {
  enum class What : std::uint8_t { none, kill_before, kill_after, fail };
  What what = What::none;
  int at = 0;
  int error = 0;
  std::string folder;
  std::atomic<int> calls = 0;
  std::string failed_sync;                ///< of this file
  std::atomic<bool> tried_again = false;  ///< to sync it
} fault;

/// Files below the folder of which the last write was not synced.
struct Unsynced {
  std::atomic<bool> watched = false;
  std::string folder;
  std::mutex mutex;
  std::set<std::string> files;
} unsynced;

std::string path_of(int fd) {
  char path[PATH_MAX];
  const auto length = ::readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path, sizeof path);
  return length < 0 ? std::string() : std::string(path, static_cast<std::size_t>(length));
}

enum class Call : std::uint8_t { write, sync };

void watch(int fd, Call call) {
  if (!unsynced.watched) return;
  const auto path = path_of(fd);
  if (!path.starts_with(unsynced.folder)) return;
  const std::lock_guard guard(unsynced.mutex);
  if (call == Call::write) {
    unsynced.files.insert(path);
  } else {
    unsynced.files.erase(path);
  }
}

template <typename F>
auto with_fault(int fd, Call call, F&& work) -> decltype(work()) {
  watch(fd, call);
  if (fault.what == Fault::What::none) return work();
  const auto path = path_of(fd);
  if (!path.starts_with(fault.folder)) return work();
  if (call == Call::sync && path == fault.failed_sync) fault.tried_again = true;
  if (++fault.calls != fault.at) return work();
  if (fault.what == Fault::What::kill_before) ::kill(::getpid(), SIGKILL);
  if (fault.what == Fault::What::fail) {
    if (call == Call::sync) fault.failed_sync = path;
    errno = fault.error;
    return -1;
  }
  const auto result = work();
  ::kill(::getpid(), SIGKILL);
  return result;
}

}  // namespace
}  // namespace liftlock

// In the place of the C library's.
extern "C" {
int fdatasync(int fd) {
  return liftlock::with_fault(fd, liftlock::Call::sync, [&] { return static_cast<int>(::syscall(SYS_fdatasync, fd)); });
}
int fsync(int fd) {
  return liftlock::with_fault(fd, liftlock::Call::sync, [&] { return static_cast<int>(::syscall(SYS_fsync, fd)); });
}
ssize_t write(int fd, const void* bytes, size_t count) {
  return liftlock::with_fault(fd, liftlock::Call::write, [&] { return ::syscall(SYS_write, fd, bytes, count); });
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return liftlock::with_fault(fd, liftlock::Call::write,
                              [&] { return ::syscall(SYS_pwrite64, fd, bytes, count, offset); });
}
}

namespace liftlock {
namespace {

using namespace std::chrono_literals;
using record::AheadFile;
using record::AheadGroup;

/// What was told to be durable: the answer of a record, or that it was opened.
struct Told {
  char id[26];
  bool closed;
  std::uint32_t answer;  ///< its length
};

struct AheadTest : testing::Test {
  TemporaryFolder temporary;
  fs::path state = temporary.path() / "state";

  RecordBook::Options options(std::chrono::milliseconds log_after) const {
    return {.folder = state / "records", .kek_file = state / "keys" / "record.kek", .log_after = log_after};
  }
  RecordReader reader() const { return {state / "records", state / "keys" / "record.kek"}; }

  /// Records of every kind; `tell` of each that is durable. Ends at the first refusal.
  static void work(RecordBook& book, const std::function<void(const std::string& id, bool closed, std::size_t)>& tell) {
    const Json outcome = {{"outcome", "complete"}};
    const auto write = [&](std::size_t size) {
      const auto id = new_record_id();
      if (outcome_of([&](auto done) {
            book.write(test_head(id), "a question", std::string(size, 'a'), outcome, std::move(done));
          })) {
        return false;
      }
      tell(id, true, size);
      return true;
    };
    if (!write(5)) return;
    std::shared_ptr<OpenRecord> stream;
    const auto id = new_record_id();
    if (outcome_of([&](auto done) { stream = book.open(test_head(id), "a question", std::move(done)); })) return;
    tell(id, false, 0);
    try {
      for (int i = 0; i < 3; ++i) stream->append("word ");
    } catch (const Error&) {
      return;
    }
    if (!write(1'500'000)) return;  // too large for the file ahead
    if (outcome_of([&](auto done) { stream->close(outcome, std::move(done)); })) return;
    tell(id, true, 15);
    write(7);
  }

  /// The same in a child with this fault; what it told before its end.
  std::vector<Told> work_in_child(Fault::What what, int at, int error, int& status) const {
    int ends[2];
    if (::pipe(ends) != 0) return {};
    const auto child = ::fork();
    if (child == 0) {
      int result = 0;
      try {
        AuditLog log(state / "audit", "test");
        {
          RecordBook book(options(1ms), log);
          fault.folder = state.string();
          fault.at = at;
          fault.error = error;
          fault.what = what;
          work(book, [&](const std::string& id, bool closed, std::size_t answer) {
            Told told{{}, closed, static_cast<std::uint32_t>(answer)};
            id.copy(told.id, sizeof told.id);
            if (::syscall(SYS_write, ends[1], &told, sizeof told) != sizeof told) ::_exit(3);
          });
        }
        result = fault.calls < at ? 100 : 0;
        if (fault.tried_again) result = 4;
      } catch (const std::exception&) {
        result = 5;
      }
      ::_exit(result);
    }
    ::close(ends[1]);
    std::vector<Told> told;
    for (Told one; ::read(ends[0], &one, sizeof one) == sizeof one;) told.push_back(one);
    ::close(ends[0]);
    ::waitpid(child, &status, 0);
    return told;
  }

  /// After a new start: everything told is there, and its entry is in the log, once.
  void expect_all(const std::vector<Told>& told, const std::string& when) const {
    AuditLog log(state / "audit", "test");
    ASSERT_NO_THROW(log.verify()) << when;
    { const RecordBook book(options(20ms), log); }
    ASSERT_NO_THROW(AuditLog::open_to_read(state / "audit").verify()) << when;
    std::map<std::string, int> entries;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      if (entry.event.type == "prompt.record") {
        ++entries[entry.event.subject + (entry.event.outcome == Outcome::intent ? " intent" : " end")];
      }
      return true;
    });
    for (const auto& [what, count] : entries) EXPECT_EQ(count, 1) << what << ", " << when;
    for (const auto& one : told) {
      const std::string id(one.id, sizeof one.id);
      EXPECT_EQ(entries.count(id + (one.closed ? " end" : " intent")), 1u) << id << ", " << when;
      Record record;
      ASSERT_NO_THROW(record = reader().read(id)) << id << ", " << when;
      EXPECT_EQ(record.prompt, "a question");
      EXPECT_GE(record.answer.size(), one.answer) << id << ", " << when;
      EXPECT_TRUE(!one.closed || record.outcome.at("outcome") == "complete") << id << ", " << when;
      EXPECT_NO_THROW(reader().verify(id, log)) << id << ", " << when;
    }
    EXPECT_TRUE(reader().find({}, [](const RecordHead&) { return true; }).damaged.empty()) << when;
  }
};

TEST_F(AheadTest, AKillAtAnyWriteOrSyncTakesNothingThatWasTold) {
  std::vector<Told> all;
  for (const auto what : {Fault::What::kill_before, Fault::What::kill_after}) {
    int steps = 0;
    for (int at = 1;; ++at) {
      int status = 0;
      const auto told = work_in_child(what, at, 0, status);
      all.insert(all.end(), told.begin(), told.end());
      expect_all(told, fmt::format("killed at {}", at));
      if (HasFatalFailure()) return;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 100) break;  // it ended before that
      ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status) << " at " << at;
      steps = at;
    }
    EXPECT_GT(steps, 20);
  }
  expect_all(all, "in the end");
}

TEST_F(AheadTest, AnyCallThatFailsTakesNothingThatWasToldAndNoSyncIsTriedAgain) {
  for (const int error : {EIO, ENOSPC}) {
    int steps = 0;
    for (int at = 1;; ++at) {
      int status = 0;
      const auto told = work_in_child(Fault::What::fail, at, error, status);
      ASSERT_TRUE(WIFEXITED(status));
      EXPECT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 100) << WEXITSTATUS(status) << " at " << at;
      expect_all(told, fmt::format("failed with {} at {}", error, at));
      if (HasFatalFailure()) return;
      if (WEXITSTATUS(status) == 100) break;
      steps = at;
    }
    EXPECT_GT(steps, 20);
  }
}

TEST_F(AheadTest, WhatIsSettledIsToldThoughWhatFollowsFails) {
  AuditLog log(state / "audit", "test");
  const auto folder = state / "records";
  make_folders(folder);
  const auto segment = std::make_shared<record::Segment>(folder, SecretKey::random());
  std::promise<void> told, failed;
  record::Settler settler({.folder = folder,
                           .after =
                               [&] {
                                 EXPECT_EQ(told.get_future().wait_for(60s), std::future_status::ready);
                                 fail(ErrorCode::io_error, "no slots");
                               },
                           .chores = [] {},
                           .failed = [&](std::string_view) { failed.set_value(); }},
                          log);
  const auto commit = [&] {
    segment->append(std::string(1'500'000, 'x'));  // too large for the file ahead
    settler.commit(
        {segment},
        {entry_to_bytes(
            {.type = "prompt.record", .actor = "a", .outcome = Outcome::success, .subject = "s", .detail = "{}"},
            Timestamp{})});
  };
  EXPECT_NO_THROW(commit());
  told.set_value();
  failed.get_future().wait();
  EXPECT_EQ(code_of(commit), ErrorCode::record_unwritable);
  EXPECT_EQ(log.size(), 1u);
}

// Here because the C library's calls are replaced here.
TEST_F(AheadTest, AfterAnySyncOfTheLogThatFailedNothingIsAppendedToIt) {
  const std::vector<AuditEvent> events(
      300, {.type = "test.append", .actor = "a", .outcome = Outcome::success, .subject = "s", .detail = "{}"});
  for (const int error : {EIO, ENOSPC}) {
    int syncs = 0;
    for (bool was_met = true; was_met; fs::remove_all(state)) {
      AuditLog log(state / "audit", "test");
      fault.folder = state.string();
      fault.calls = 0;
      fault.at++;
      fault.error = error;
      fault.failed_sync.clear();
      fault.tried_again = false;
      fault.what = Fault::What::fail;
      const auto first = code_of([&] { log.append(events); });
      was_met = fault.calls >= fault.at;
      if (!fault.failed_sync.empty()) {
        ++syncs;
        EXPECT_EQ(first, ErrorCode::audit_unwritable) << fault.failed_sync;
        EXPECT_FALSE(log.is_writable()) << fault.failed_sync;
        EXPECT_EQ(code_of([&] { log.append(events); }), ErrorCode::audit_unwritable) << fault.failed_sync;
        EXPECT_FALSE(fault.tried_again) << fault.failed_sync;
      }
      fault.what = Fault::What::none;
      EXPECT_NO_THROW(AuditLog(state / "audit", "test").verify());
    }
    EXPECT_GT(syncs, 5);
    fault.at = 0;
  }
}

struct AheadSlots : AheadTest {
  const std::string first = state / "records/00000001.keys";

  void TearDown() override { unsynced.watched = false; }
  /// From now on; `files` is what was not synced before.
  void watch_syncs(std::set<std::string> files) const {
    unsynced.folder = state.string();
    unsynced.files = std::move(files);
    unsynced.watched = true;
  }
  static bool is_synced(const std::string& file) {
    const std::lock_guard guard(unsynced.mutex);
    return !unsynced.files.contains(file);
  }
};

TEST_F(AheadSlots, ThoseOfASegmentAreSyncedWhenItsProcessEnds) {
  watch_syncs({});
  AuditLog log(state / "audit", "test");
  {
    RecordBook book(options(1ms), log);
    work(book, [](const auto&...) {});
  }
  EXPECT_TRUE(is_synced(first));
}

TEST_F(AheadSlots, ThoseThatAKilledProcessFilledAreSyncedBeforeTheNextSegmentBegins) {
  const auto child = ::fork();
  if (child == 0) {
    AuditLog log(state / "audit", "test");
    RecordBook book(options(1ms), log);
    work(book, [](const auto&...) {});
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  watch_syncs({first});
  AuditLog log(state / "audit", "test");
  RecordBook book(options(1ms), log);
  work(book, [](const auto&...) {});
  ASSERT_TRUE(fs::exists(state / "records/00000002.keys"));
  EXPECT_TRUE(is_synced(first));
}

struct AheadPowerCut : AheadTest {
  std::vector<Told> told;

  /// Work that nobody settled, as a kill leaves it in `state`.
  void work_and_die() {
    {
      AuditLog log(state / "audit", "test");
      RecordBook book(options(20ms), log);
      work(book, [&](const std::string& id, bool closed, std::size_t answer) {
        told.push_back({{}, closed, static_cast<std::uint32_t>(answer)});
        id.copy(told.back().id, sizeof told.back().id);
      });
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const auto child = ::fork();
    if (child == 0) {
      AuditLog log(state / "audit", "test");
      RecordBook book(options(std::chrono::hours(1)), log);
      // The first settling does not wait.
      (void)outcome_of([&](auto done) {
        book.write(test_head(new_record_id()), "a question", "a", {{"outcome", "complete"}}, std::move(done));
      });
      while (log.size() == 0 || log.read(log.size() - 1).event.type != "prompt.record" || !settled(log)) {
      }
      const auto tell = [&](const std::string& id, bool closed, std::size_t answer) {
        Told one{{}, closed, static_cast<std::uint32_t>(answer)};
        id.copy(one.id, sizeof one.id);
        if (::write(ends[1], &one, sizeof one) != sizeof one) ::_exit(1);
      };
      std::vector<std::shared_ptr<OpenRecord>> streams;
      for (int i = 0; i < 4; ++i) {
        const auto id = new_record_id();
        (void)outcome_of(
            [&](auto done) { streams.push_back(book.open(test_head(id), "a question", std::move(done))); });
        tell(id, false, 0);
        for (auto& stream : streams) stream->append(std::string(700, 'p'));
        const auto other = new_record_id();
        (void)outcome_of([&](auto done) {
          book.write(test_head(other), "a question", std::string(900, 'a'), {{"outcome", "complete"}}, std::move(done));
        });
        tell(other, true, 900);
      }
      (void)outcome_of([&](auto done) { streams[0]->close({{"outcome", "complete"}}, std::move(done)); });
      tell(streams[0]->id(), true, 2800);
      for (auto& stream : streams) {
        if (stream != streams[0]) stream->append(std::string(700, 'q'));  // not synced, and nobody's
      }
      ::kill(::getpid(), SIGKILL);
    }
    ::close(ends[1]);
    for (Told one; ::read(ends[0], &one, sizeof one) == sizeof one;) told.push_back(one);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_GE(told.size(), 9u);
  }
  static bool settled(const AuditLog& log) {
    std::uint64_t count = 0;
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      count += entry.event.type == "prompt.record" ? 1 : 0;
      return true;
    });
    return count == 6;
  }

  /// The kill came between the append to the log and its sync, or the sync failed: the next process sees the entries of
  /// the first `count` groups, or of all, and the disk has none of them when its power goes.
  void start_on_a_log_that_is_not_on_the_disk(std::size_t count) const {
    const auto synced = temporary.path() / "synced", seen = temporary.path() / "seen";
    fs::copy(state / "audit", synced, fs::copy_options::recursive);
    {
      const auto bytes = record::read_ahead_file(state / "records");
      std::vector<std::string> entries;
      for (const auto& group : record::unsettled_groups(record::ahead_groups(bytes))) {
        if (count-- > 0) entries.insert(entries.end(), group.entries.begin(), group.entries.end());
        if (count == 0) break;
      }
      AuditLog(state / "audit", "test").append_made(entries);
    }
    fs::create_hard_link(state / "audit/journal", seen);
    {
      AuditLog log(state / "audit", "test");
      const RecordBook book(options(20ms), log);
    }
    // No sync brings back what a failed one left behind; only what was written anew is there.
    if (fs::equivalent(seen, state / "audit/journal")) {
      fs::remove_all(state / "audit");
      fs::rename(synced, state / "audit");
    }
    fs::remove_all(synced);
    fs::remove(seen);
  }
  fs::path segment() const { return state / "records/00000002.rec"; }
  fs::path keys() const { return state / "records/00000002.keys"; }
};

TEST_F(AheadPowerCut, WhatWasNotSyncedComesBackFromTheFileAhead) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  const auto kept = temporary.path() / "kept";
  fs::copy(state, kept, fs::copy_options::recursive);
  const auto frames = read_file(segment(), 1u << 20);
  const auto slots = read_file(keys(), 1u << 20);
  // The record that was settled before is synced; any part of what came after it may be on the disk.
  const auto bytes = read_file(state / "records/ahead", 2 * record::k_ahead_half);
  const auto groups = record::unsettled_groups(record::ahead_groups(bytes));
  ASSERT_FALSE(groups.empty());
  std::uint64_t synced = frames.size();
  for (const auto& group : groups) {
    for (const auto& part : group.parts) synced = std::min(synced, part.offset);
  }
  std::mt19937 random(20261129);  // NOLINT: the same cuts on every run are wanted
  for (int round = 0; round < 24; ++round) {
    fs::remove_all(state);
    fs::copy(kept, state, fs::copy_options::recursive);
    auto cut = frames;
    cut.resize(round == 0 ? synced : std::uniform_int_distribution<std::uint64_t>(synced, frames.size())(random));
    write_file_atomically(segment(), cut, 0600);
    if (round % 2 == 1) {
      auto lost = slots;
      for (std::uint64_t number = 0; number < 6; ++number) {
        lost.replace(record::Slot::place(number), record::Slot::k_size - record::Slot::k_seed,
                     record::Slot::k_size - record::Slot::k_seed, '\0');
      }
      write_file_atomically(keys(), lost, 0600);
    }
    const auto groups_in_log = static_cast<std::size_t>(round) % 3 * groups.size() / 2;
    if (groups_in_log > 0) start_on_a_log_that_is_not_on_the_disk(groups_in_log);
    expect_all(told, fmt::format("cut at {}, with {} groups in the log", cut.size(), groups_in_log));
    if (HasFailure()) return;
  }
}

TEST_F(AheadPowerCut, AGroupThatWasNotToldMayBeTorn) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  auto bytes = read_file(state / "records/ahead", 2 * record::k_ahead_half);
  // A group that never returned: its first block is there, its second is not.
  const auto groups = record::ahead_groups(bytes);
  auto torn = groups.back();
  ++torn.number;
  const std::string large(6000, 'e');
  torn.entries = {large};
  const auto place = bytes.find_last_not_of('\0') / AheadGroup::k_block * AheadGroup::k_block + AheadGroup::k_block;
  bytes.replace(place, AheadGroup::k_block, torn.bytes(), 0, AheadGroup::k_block);
  write_file_atomically(state / "records/ahead", bytes, 0600);
  expect_all(told, "torn");
}

TEST_F(AheadPowerCut, DamageIsNotTakenForACrash) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  auto bytes = read_file(state / "records/ahead", 2 * record::k_ahead_half);
  const auto groups = record::unsettled_groups(record::ahead_groups(bytes));
  ASSERT_GT(groups.size(), 3u);
  // A group in the middle is gone, and what follows it is in its place.
  std::string less;
  for (const auto& group : groups) {
    if (group.number != groups[1].number) less += group.bytes();
  }
  bytes.assign(2 * record::k_ahead_half, '\0');
  bytes.replace(0, less.size(), less);
  write_file_atomically(state / "records/ahead", bytes, 0600);
  AuditLog log(state / "audit", "test");
  EXPECT_EQ(code_of([&] { RecordBook(options(20ms), log); }), ErrorCode::blob_corrupt);
}

TEST_F(AheadPowerCut, UntilTheNextStartVerifyingLooksIntoTheFileAhead) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  const auto log = AuditLog::open_to_read(state / "audit");
  for (const auto& one : told) {
    const std::string id(one.id, sizeof one.id);
    Json found;
    ASSERT_NO_THROW(found = reader().verify(id, log)) << id;
    EXPECT_EQ(found.at("entry").is_null(), !log.find_last("prompt.record", id).has_value());
  }
}

TEST_F(AheadPowerCut, AnotherProcessAppendsInBetween) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  AuditLog(state / "audit", "test")
      .append({.type = "test.other", .actor = "a", .outcome = Outcome::success, .subject = "s", .detail = "{}"});
  expect_all(told, "after another's entry");
  expect_all(told, "settled twice");
}

TEST_F(AheadPowerCut, AStartThatRecordsNothingSettlesAllTheSame) {
  ASSERT_NO_FATAL_FAILURE(work_and_die());
  AuditLog log(state / "audit", "test");
  auto off = options(20ms);
  off.mode = RecordMode::off;
  { const RecordBook book(off, log); }
  for (const auto& one : told) EXPECT_TRUE(log.find_last("prompt.record", {one.id, sizeof one.id}));
}

/// A file whose groups fill a half with three of them, and its reader's view of it.
struct AheadHalves : testing::Test {
  TemporaryFolder temporary;
  std::string filler = std::string(60'000, 'e');
  std::vector<std::string_view> entries = std::vector<std::string_view>(20, filler);  // 1.2 MB

  AheadGroup group(std::uint64_t number, std::uint64_t settled) const {
    return {.run = {1}, .number = number, .settled = settled, .log = 0, .parts = {}, .entries = entries};
  }
  std::string bytes() const { return record::read_ahead_file(temporary.path()); }
  static std::set<std::uint64_t> numbers(const std::string& bytes) {
    std::set<std::uint64_t> out;
    for (const auto& one : record::unsettled_groups(record::ahead_groups(bytes))) out.insert(one.number);
    return out;
  }
};

TEST_F(AheadHalves, NothingThatIsNotSettledIsOverwrittenAndNoTornGroupLeavesAGap) {
  std::mt19937 random(7);  // NOLINT: the same course on every run is wanted
  AheadFile file(temporary.path());
  std::uint64_t settled = 0, number = 0;
  int refused = 0;
  for (int step = 0; step < 60; ++step) {
    if (random() % 2 == 0) settled = std::uniform_int_distribution<std::uint64_t>(settled, number)(random);
    auto before = bytes();
    if (file.write(group(number + 1, settled)) == AheadFile::Written::no) {
      ++refused;
      // As the settler does: it waits until all is in its place.
      settled = ++number;
      continue;
    }
    ++number;
    const auto after = bytes();
    // Where it began anew, both halves were cleared, and synced, before.
    const auto is_clear = [](const std::string& text, std::size_t half) {
      const auto head = std::string_view(text).substr(half * record::k_ahead_half, AheadGroup::k_block);
      return head.find_first_not_of('\0') == std::string_view::npos;
    };
    if (is_clear(after, 1) && !is_clear(before, 1)) {
      for (const std::size_t half : {0, 1}) {
        before.replace(half * record::k_ahead_half, AheadGroup::k_block, AheadGroup::k_block, '\0');
      }
    }
    const auto found = numbers(after);
    for (auto wanted = settled + 1; wanted <= number; ++wanted) EXPECT_TRUE(found.contains(wanted)) << wanted;
    // The power went before its first block, or its last, was on the disk.
    const auto differ = [&](std::size_t i) { return before[i] != after[i]; };
    std::size_t first = 0, last = after.size() - 1;
    while (!differ(first)) ++first;
    while (!differ(last)) --last;
    for (const auto place : {first, last}) {
      auto torn = after;
      const auto block = place / AheadGroup::k_block * AheadGroup::k_block;
      torn.replace(block, AheadGroup::k_block, before, block, AheadGroup::k_block);
      std::set<std::uint64_t> left;
      ASSERT_NO_THROW(left = numbers(torn)) << step;
      for (auto wanted = settled + 1; wanted < number; ++wanted) EXPECT_TRUE(left.contains(wanted)) << wanted;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST_F(AheadHalves, WhatIsClearedAndWhatAnotherRunLeftIsNotMet) {
  {
    AheadFile file(temporary.path());
    for (std::uint64_t number = 1; number <= 5; ++number)
      ASSERT_NE(file.write(group(number, 0)), AheadFile::Written::no);
    EXPECT_EQ(numbers(bytes()).size(), 5u);
    file.write(group(6, 0));
    EXPECT_EQ(file.write(group(7, 0)), AheadFile::Written::no);
    file.clear();
    EXPECT_TRUE(numbers(bytes()).empty());
    ASSERT_EQ(file.write(group(8, 7)), AheadFile::Written::in_a_new_half);
  }
  AheadFile file(temporary.path());
  EXPECT_TRUE(numbers(bytes()).empty());
  auto fresh = group(1, 0);
  fresh.run = {2};
  ASSERT_EQ(file.write(fresh), AheadFile::Written::in_a_new_half);
  EXPECT_EQ(numbers(bytes()), std::set<std::uint64_t>{1});
}

TEST_F(AheadHalves, ALaterVersionIsNotGuessedAt) {
  auto later = group(1, 0).bytes();
  const auto payload = [&] {
    const auto size = static_cast<std::uint8_t>(later[1]) << 16 | static_cast<std::uint8_t>(later[2]) << 8 |
                      static_cast<std::uint8_t>(later[3]);
    return std::string_view(later).substr(36, static_cast<std::size_t>(size));
  };
  later[later.find("ahead/1") + 6] = '2';
  EXPECT_TRUE(record::ahead_groups(later).empty()) << "torn: its digest does not fit";
  const std::string digest(as_text(sha256(payload()).bytes()));
  later.replace(4, digest.size(), digest);
  EXPECT_EQ(code_of([&] { record::ahead_groups(later); }), ErrorCode::too_new);
}

}  // namespace
}  // namespace liftlock
