// SQLite with owned handles: a connection, prepared statements, transactions, migrations.
//
//   Database db(file);
//   db.migrate(k_migrations, "catalog");
//   Transaction transaction(db);
//   auto insert = db.prepare("INSERT INTO t(name, size) VALUES (?, ?)");
//   insert.run(name, size);
//   transaction.commit();
//
// Connections are opened in WAL mode with foreign keys on and synchronous=FULL: what commit() returned from survives a
// power cut (https://www.sqlite.org/pragma.html#pragma_synchronous). The files -wal and -shm stay when the last
// connection closes: with them there, a reader needs neither space nor write access
// (https://www.sqlite.org/wal.html#readonly). A connection and its statements belong to one
// thread at a time and must not cross a fork. All members throw Error{busy} when another process held the write lock
// for the whole busy timeout, Error{disk_full}, Error{io_error}, and Error{store_invalid} for a damaged file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "os/access.hpp"
#include "os/file.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace liftlock {

class Statement;

class Database {
 public:
  /// With Access::write opens or creates the file; its folder must exist. With Access::read it has to be there, and
  /// writers may be active meanwhile, but in other processes: SQLite shares what it knows of a file within a process.
  /// Without -wal and -shm (nobody has it open) a copy in memory is read, which stays as it is: who keeps the object
  /// while others write opens with Access::write.
  explicit Database(const fs::path& file, Access access = Access::write);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// One or more statements without parameters.
  void execute(const char* sql);
  /// The statement must end before the connection.
  Statement prepare(std::string_view sql);
  /// Rows that the last INSERT, UPDATE or DELETE touched.
  std::uint64_t changes() const;
  std::int64_t last_insert_id() const;

  /// Brings the schema from its version (PRAGMA user_version) to migrations.size(), each step one transaction; step i
  /// makes version i + 1. Safe when several processes try at once.
  /// @throws Error{too_new} when the file's version is higher; `what` names it in the message
  void migrate(std::span<const char* const> migrations, std::string_view what);
  /// Would migrate() change it?
  bool is_older_than(std::span<const char* const> migrations);

 private:
  friend class Statement;
  [[noreturn]] void raise(std::string_view doing) const;
  void open(const std::string& name, int flags);
  void open_to_read(const fs::path& file);
  void load_copy(const fs::path& file);
  void enter_wal();
  std::int64_t user_version();

  struct Close {
    void operator()(sqlite3* handle) const;
  };
  std::string m_name;
  std::unique_ptr<sqlite3, Close> m_handle;
};

/// A prepared statement. Parameters count from 1, columns from 0. Text and blobs given to bind() must live until the
/// next step() or run() returned false; views from columns live until the next call.
class Statement {
 public:
  Statement(Database& database, std::string_view sql);

  void bind(int index, std::int64_t value);
  /// @throws Error{limit_exceeded} for values past 2^63 - 1, which SQLite cannot hold
  void bind(int index, std::uint64_t value);
  void bind(int index, std::string_view text);
  void bind(int index, std::span<const std::uint8_t> blob);

  /// true: a row is there. false: the end; the statement is reset and can be bound and run again.
  bool step();
  void reset();

  /// Binds all parameters in order and steps to the end, ignoring rows.
  template <typename... Args>
  void run(const Args&... args) {
    start(args...);
    while (step()) {
    }
  }
  /// Binds all parameters in order from a fresh start; step() then gives the rows.
  template <typename... Args>
  Statement& start(const Args&... args) {
    reset();
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }

  std::int64_t integer(int column) const;
  std::uint64_t unsigned_integer(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  std::string_view text(int column) const;
  std::span<const std::uint8_t> blob(int column) const;
  bool is_null(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const;
  };
  Database* m_database;
  std::unique_ptr<sqlite3_stmt, Finalize> m_handle;
};

/// BEGIN IMMEDIATE: holds the write lock of the file from here to the end, so that what is read stays true until
/// commit(). Rolls back when it is destroyed without commit().
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& m_database;
  bool m_open = true;
};

/// A read transaction: several statements see one state of the file.
class Snapshot {
 public:
  explicit Snapshot(Database& database);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  Database& m_database;
};

}  // namespace liftlock
