// Processes that die, and disks that are full.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <nlohmann/json.hpp>
#include <random>

#include "base/code_of.hpp"
#include "record/record_book.hpp"
#include "record/record_fixture.hpp"
#include "record/record_keeper.hpp"
#include "record/record_reader.hpp"
#include "record/segment_format.hpp"

namespace liftlock {
namespace {

RecordBook::Options options_in(const fs::path& state) {
  return {.folder = state / "records", .kek_file = state / "keys" / "record.kek"};
}

/// What the child had been told: a record's id, and how many pieces append() returned for; -1: closed.
struct Told {
  char id[26];
  int pieces;
};

TEST(RecordFault, SigkillTakesNothingThatWasAcknowledged) {
  const TemporaryFolder temporary;
  const auto& state = temporary.path();
  std::mt19937 random(20261123);  // NOLINT: the same moments on every run are wanted
  std::map<std::string, int> acknowledged;
  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const auto child = ::fork();
    if (child == 0) {
      AuditLog log(state / "audit", "test");
      RecordBook book(options_in(state), log);
      for (;;) {
        std::vector<std::shared_ptr<OpenRecord>> streams;
        for (int i = 0; i < 8; ++i) {
          outcome_of([&](RecordDone done) { streams.push_back(book.open(test_head(), "question", std::move(done))); });
        }
        for (int piece = 0; piece < 40; ++piece) {
          for (auto& stream : streams) {
            stream->append("word ");
            Told told{{}, piece + 1};
            stream->id().copy(told.id, sizeof told.id);
            if (::write(pipe_ends[1], &told, sizeof told) != sizeof told) ::_exit(1);
          }
        }
        outcome_of([&](RecordDone done) { streams[0]->close({{"outcome", "complete"}}, std::move(done)); });
        Told told{{}, -1};
        streams[0]->id().copy(told.id, sizeof told.id);
        if (::write(pipe_ends[1], &told, sizeof told) != sizeof told) ::_exit(1);
      }
    }
    ::close(pipe_ends[1]);
    // Reading meanwhile, so that the child never waits for room in the pipe.
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(std::uniform_int_distribution(30, 150)(random));
    Told told;
    bool killed = false;
    while (::read(pipe_ends[0], &told, sizeof told) == sizeof told) {
      acknowledged[std::string(told.id, sizeof told.id)] = told.pieces;
      if (!killed && std::chrono::steady_clock::now() > until) {
        killed = true;
        ::kill(child, SIGKILL);
      }
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed by itself";
  }
  AuditLog log(state / "audit", "test");
  log.verify();
  ASSERT_FALSE(acknowledged.empty());
  const RecordReader reader(state / "records", state / "keys" / "record.kek");
  for (const auto& [id, pieces] : acknowledged) {
    const auto record = reader.read(id);
    EXPECT_EQ(record.prompt, "question");
    EXPECT_GE(record.answer.size(), 5u * static_cast<std::size_t>(pieces < 0 ? 40 : pieces)) << id;
    EXPECT_TRUE(pieces >= 0 || record.outcome.at("outcome") == "complete") << id;
    EXPECT_NO_THROW(reader.verify(id, log)) << id;
  }
  EXPECT_TRUE(reader.find({}, [](const RecordHead&) { return true; }).damaged.empty());
}

struct PowerCut : testing::Test {
  TemporaryFolder temporary;
  fs::path state = temporary.path();
  fs::path keys = state / "records/00000001.keys";
  std::vector<std::string> ids;

  void write(int count) {
    AuditLog log(state / "audit", "test");
    RecordBook book(options_in(state), log);
    for (int i = 0; i < count; ++i) {
      auto wanted = test_head();
      ids.push_back(wanted.id = new_record_id());
      ASSERT_FALSE(outcome_of([&](RecordDone done) { book.write(wanted, "p", "a", {{"outcome", "complete"}}, done); }));
    }
  }
  void expect_whole(const std::string& id) const {
    const RecordReader reader(state / "records", state / "keys/record.kek");
    const AuditLog log(state / "audit", "test");
    EXPECT_EQ(reader.read(id).answer, "a");
    EXPECT_NO_THROW(reader.verify(id, log));
  }
  std::optional<ErrorCode> code_of_reading(const std::string& id) const {
    return code_of([&] { RecordReader(state / "records", state / "keys/record.kek").read(id); });
  }
};

// What is written without a sync may be on the disk or not, sector by sector.
TEST_F(PowerCut, LostIdsAndOffsetsComeBackWithTheNextStart) {
  write(8);
  auto bytes = read_file(keys, 1u << 20);
  for (const std::uint64_t number : {1, 2, 7}) {
    bytes.replace(record::Slot::place(number), record::Slot::k_size - record::Slot::k_seed,
                  record::Slot::k_size - record::Slot::k_seed, '\0');
  }
  write_file_atomically(keys, bytes);
  EXPECT_EQ(code_of_reading(ids[1]), ErrorCode::not_found);
  write(1);
  for (const auto& id : ids) expect_whole(id);
}

TEST_F(PowerCut, ARestoredSlotIsErasedForGood) {
  write(2);
  RecordKeeper(state / "records").erase(ids[0]);
  auto bytes = read_file(keys, 1u << 20);
  bytes.replace(record::Slot::place(0), 24, 24, '\0');
  write_file_atomically(keys, bytes);
  write(1);
  EXPECT_EQ(code_of_reading(ids[0]), ErrorCode::record_erased);
  expect_whole(ids[1]);
}

// Both orders can be what is left of a group whose syncs did not return: nobody was told of it.
TEST_F(PowerCut, OfAGroupWithoutItsEntryOrItsFramesNothingElseIsHurt) {
  write(3);
  const auto segment = state / "records/00000001.rec";
  const auto frames = read_file(segment, 1u << 20);
  write_file_atomically(segment, frames.substr(0, frames.size() / 3 + 50));
  expect_whole(ids[0]);
  EXPECT_EQ(code_of_reading(ids[2]), ErrorCode::not_found);
  write_file_atomically(segment, frames);
  fs::remove_all(state / "audit");
  write(1);
  const RecordReader reader(state / "records", state / "keys/record.kek");
  const AuditLog log(state / "audit", "test");
  EXPECT_EQ(reader.read(ids[2]).answer, "a");
  EXPECT_EQ(code_of([&] { reader.verify(ids[2], log); }), ErrorCode::blob_corrupt);
  expect_whole(ids[3]);
}

TEST(RecordFault, AFailedWriteIsFinal) {
  const TemporaryFolder temporary;
  const auto& state = temporary.path();
  const auto child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    AuditLog log(state / "audit", "test");
    RecordBook book(options_in(state), log);
    std::shared_ptr<OpenRecord> stream;
    if (outcome_of([&](RecordDone done) { stream = book.open(test_head(), "q", std::move(done)); })) ::_exit(1);
    const struct rlimit small {
      64 << 10, RLIM_INFINITY
    };
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) ::_exit(2);
    const auto is_unwritable = [](const std::optional<Error>& error) {
      return error && error->code() == ErrorCode::record_unwritable;
    };
    const std::string big(100'000, 'x');
    const auto write = [&](const std::string& text) {
      return outcome_of([&](RecordDone done) { book.write(test_head(), text, text, Json::object(), std::move(done)); });
    };
    if (!is_unwritable(write(big))) ::_exit(3);
    const struct rlimit none {
      RLIM_INFINITY, RLIM_INFINITY
    };
    if (::setrlimit(RLIMIT_FSIZE, &none) != 0) ::_exit(4);
    if (!is_unwritable(write("small"))) ::_exit(5);
    if (code_of([&] { stream->append("piece"); }) != ErrorCode::record_unwritable) ::_exit(6);
    if (!is_unwritable(outcome_of([&](RecordDone done) { stream->close(Json::object(), std::move(done)); }))) {
      ::_exit(7);
    }
    if (!is_unwritable(outcome_of([&](RecordDone done) { book.open(test_head(), "q", std::move(done)); }))) ::_exit(8);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);

  // A new process goes on beside what was torn.
  AuditLog log(state / "audit", "test");
  RecordBook book(options_in(state), log);
  EXPECT_FALSE(
      outcome_of([&](RecordDone done) { book.write(test_head(), "p", "a", Json::object(), std::move(done)); }));
  const RecordReader reader(state / "records", state / "keys" / "record.kek");
  std::uint64_t found = 0;
  const auto findings = reader.find({}, [&](const RecordHead&) { return ++found > 0; });
  EXPECT_EQ(found, 2u) << "the stream and the new one";
  EXPECT_TRUE(findings.damaged.empty());
}

TEST(RecordFault, WhatWaitsIsBounded) {
  const TemporaryFolder temporary;
  AuditLog log(temporary.path() / "audit", "test");
  auto options = options_in(temporary.path());
  options.queue_bytes = 1u << 20;
  std::atomic<int> done = 0, refused = 0;
  std::promise<void> all_asked;
  {
    RecordBook book(options, log);
    // Holds the thread that commits, so that all others wait.
    book.write(test_head(), "p", "", Json::object(), [&](const auto&) { all_asked.get_future().wait(); });
    for (int i = 0; i < 200; ++i) {
      book.write(test_head(), std::string(100'000, 'p'), "", Json::object(), [&](const std::optional<Error>& error) {
        EXPECT_TRUE(!error || error->code() == ErrorCode::overloaded);
        ++(error ? refused : done);
      });
    }
    all_asked.set_value();
  }
  EXPECT_EQ(done + refused, 200);
  EXPECT_GT(done, 0);
  EXPECT_GT(refused, 0);
}

}  // namespace
}  // namespace liftlock
