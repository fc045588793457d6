#include "db/database.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr const char* k_v1[] = {"CREATE TABLE t(name TEXT PRIMARY KEY, size INTEGER NOT NULL) STRICT"};
constexpr const char* k_v2[] = {k_v1[0], "ALTER TABLE t ADD COLUMN note TEXT"};

struct DatabaseTest : testing::Test {
  TemporaryFolder folder;
  fs::path file = folder.path() / "x.db";
};

std::int64_t count(Database& db) {
  auto statement = db.prepare("SELECT count(*) FROM t");
  return statement.step() ? statement.integer(0) : -1;
}

TEST_F(DatabaseTest, TransactionWithoutCommitLeavesNothing) {
  Database db(file);
  db.migrate(k_v1, "test");
  {
    Transaction transaction(db);
    db.prepare("INSERT INTO t VALUES (?, ?)").run(std::string_view("a"), std::int64_t{1});
  }
  EXPECT_EQ(count(db), 0);
  Transaction transaction(db);
  db.prepare("INSERT INTO t VALUES (?, ?)").run(std::string_view("a"), std::int64_t{1});
  transaction.commit();
  EXPECT_EQ(count(db), 1);
}

TEST_F(DatabaseTest, OlderSchemaIsMigratedAndKeepsItsRows) {
  {
    Database db(file);
    db.migrate(k_v1, "test");
    db.execute("INSERT INTO t VALUES ('a', 1)");
  }
  Database db(file);
  db.migrate(k_v2, "test");
  auto statement = db.prepare("SELECT name, note FROM t");
  ASSERT_TRUE(statement.step());
  EXPECT_EQ(statement.text(0), "a");
  EXPECT_TRUE(statement.is_null(1));
}

TEST_F(DatabaseTest, NewerSchemaIsRefused) {
  {
    Database db(file);
    db.migrate(k_v2, "test");
  }
  Database db(file);
  EXPECT_EQ(code_of([&] { db.migrate(k_v1, "test"); }), ErrorCode::too_new);
}

TEST_F(DatabaseTest, ForeignFileIsRefused) {
  write_file_atomically(file, std::string(8192, 'x'));
  EXPECT_EQ(code_of([&] { Database{file}; }), ErrorCode::store_invalid);
}

TEST_F(DatabaseTest, NumberPastTheSignedRangeIsRefused) {
  Database db(file);
  db.migrate(k_v1, "test");
  auto insert = db.prepare("INSERT INTO t VALUES (?, ?)");
  EXPECT_EQ(code_of([&] { insert.run(std::string_view("a"), std::uint64_t{1} << 63); }), ErrorCode::limit_exceeded);
}

TEST_F(DatabaseTest, WritersOfSeveralThreadsWaitForEachOther) {
  {
    Database db(file);
    db.migrate(k_v1, "test");
  }
  std::vector<std::jthread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      Database db(file);
      for (int i = 0; i < 10; ++i) {
        Transaction transaction(db);
        const auto rows = count(db);
        db.prepare("INSERT INTO t VALUES (?, ?)").run(std::string_view(fmt::format("{}-{}", writer, i)), rows);
        transaction.commit();
      }
    });
  }
  writers.clear();
  Database db(file);
  EXPECT_EQ(count(db), 40);
  auto distinct = db.prepare("SELECT count(DISTINCT size) FROM t");
  ASSERT_TRUE(distinct.step());
  EXPECT_EQ(distinct.integer(0), 40) << "a count that was read inside a transaction was no longer true at its end";
}

std::set<std::string> files_beside(const fs::path& file) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(file.parent_path())) names.insert(entry.path().filename().string());
  return names;
}

/// A process that inserts a row for each byte that it is sent, and answers each with a byte once it is committed.
class Writer {
 public:
  explicit Writer(const fs::path& file) {
    int here = -1, there = -1;
    if (::pipe(m_orders) != 0 || ::pipe(m_answers) != 0) std::abort();
    here = m_orders[0];
    there = m_answers[1];
    m_child = ::fork();
    if (m_child != 0) return;
    ::close(m_orders[1]);
    std::optional<Database> db;
    for (char name = 0; ::read(here, &name, 1) == 1;) {
      if (!db) db.emplace(file);
      db->prepare("INSERT INTO t VALUES (?, 1)").run(std::string_view(&name, 1));
      if (::write(there, &name, 1) != 1) ::_exit(1);
    }
    ::_exit(0);
  }
  ~Writer() {
    ::close(m_orders[1]);
    ::waitpid(m_child, nullptr, 0);
  }
  void insert(char name) {
    if (::write(m_orders[1], &name, 1) != 1 || ::read(m_answers[0], &name, 1) != 1) std::abort();
  }

 private:
  int m_orders[2], m_answers[2];
  pid_t m_child = -1;
};

TEST_F(DatabaseTest, ReaderSeesWhatWritersCommitAndWritesNothing) {
  Writer writer(file);  // before this process opens the file: connections must not cross a fork
  {
    Database db(file);
    db.migrate(k_v1, "test");
    db.prepare("INSERT INTO t VALUES ('a', 1)").run();
  }
  EXPECT_EQ(fs::file_size(file.string() + "-wal"), 0u);
  Database reader(file, Access::read);
  reader.migrate(k_v1, "test");
  EXPECT_EQ(count(reader), 1);
  writer.insert('b');
  EXPECT_EQ(count(reader), 2);
  EXPECT_EQ(count(*std::make_unique<Database>(file, Access::read)), 2) << "while the writer has it open";
  writer.insert('c');
  EXPECT_EQ(count(reader), 3);
  EXPECT_EQ(code_of([&] { reader.execute("DELETE FROM t"); }), ErrorCode::io_error);
  EXPECT_EQ(code_of([&] { reader.migrate(k_v2, "test"); }), ErrorCode::io_error);
  EXPECT_EQ(code_of([&] { reader.migrate({}, "test"); }), ErrorCode::too_new);
}

TEST_F(DatabaseTest, ReaderNeedsNoFilesBesideTheDatabase) {
  {
    Database db(file);
    db.migrate(k_v1, "test");
    db.prepare("INSERT INTO t VALUES ('a', 1)").run();
  }
  fs::remove(file.string() + "-wal");
  fs::remove(file.string() + "-shm");
  Database reader(file, Access::read);
  reader.migrate(k_v1, "test");
  EXPECT_EQ(count(reader), 1);
  EXPECT_EQ(files_beside(file), std::set<std::string>{"x.db"});
  EXPECT_EQ(code_of([&] { Database(folder.path() / "none.db", Access::read); }), ErrorCode::not_found);
  // What was not merged must not be left out in silence.
  std::ofstream(file.string() + "-wal") << std::string(32, 'h') << "frames";
  EXPECT_EQ(code_of([&] { Database(file, Access::read); }), ErrorCode::io_error);
}

TEST_F(DatabaseTest, ReaderIsNotStoppedByAWalThatWasOnlyBegun) {
  Writer writer(file);
  {
    Database db(file);
    db.migrate(k_v1, "test");
    db.prepare("INSERT INTO t VALUES ('a', 1)").run();
  }
  // What a writer leaves that was killed at the first frame; the magic and version that SQLite checks.
  const std::string magic("\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00", 12);
  std::ofstream(file.string() + "-wal") << magic << std::string(20, '\x5a');
  Database reader(file, Access::read);
  EXPECT_EQ(count(reader), 1);
  writer.insert('b');
  EXPECT_EQ(count(reader), 2) << "it is no copy";
}

TEST_F(DatabaseTest, EmptyTextAndBlobAreNotNull) {
  Database db(file);
  auto statement = db.prepare("SELECT ?, ?");
  statement.start(std::string_view{}, std::span<const std::uint8_t>{});
  ASSERT_TRUE(statement.step());
  EXPECT_FALSE(statement.is_null(0));
  EXPECT_FALSE(statement.is_null(1));
}

}  // namespace
}  // namespace liftlock
