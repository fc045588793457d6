#include "db/database.hpp"

#include <sqlite3.h>

#include <chrono>
#include <thread>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

/// Longer than any transaction of ours takes, short enough that a person notices a stuck process.
constexpr int k_busy_timeout_ms = 60'000;

ErrorCode code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::busy;
    case SQLITE_FULL:
      return ErrorCode::disk_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::store_invalid;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return ErrorCode::io_error;
    default:
      return ErrorCode::internal;
  }
}

}  // namespace

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}
void Statement::Finalize::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

Database::Database(const fs::path& file) : m_name(file.string()) {
  sqlite3* handle = nullptr;
  const int result =
      sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  m_handle.reset(handle);
  if (result != SQLITE_OK) raise("open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, k_busy_timeout_ms);
  // The file is ours, yet it may have been damaged or edited: its schema must not run functions, and pages are checked.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  enter_wal();
  execute(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON;"
      "PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY");
}

// A fresh file changes to WAL under an exclusive lock, for which SQLite does not call the busy handler.
void Database::enter_wal() {
  for (int waited = 0;; waited += 5) {
    const int result = sqlite3_exec(m_handle.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    if (result == SQLITE_OK) return;
    if ((result & 0xff) != SQLITE_BUSY || waited >= k_busy_timeout_ms) raise("enter WAL mode");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Database::~Database() = default;

void Database::raise(std::string_view doing) const {
  const int result = m_handle ? sqlite3_extended_errcode(m_handle.get()) : SQLITE_NOMEM;
  const char* text = m_handle ? sqlite3_errmsg(m_handle.get()) : "out of memory";
  const auto code = code_of(result);
  if (code == ErrorCode::busy) fail(code, "another process holds the write lock of '{}'", printable(m_name));
  fail(code, "{} in '{}': {} (SQLite {})", doing, printable(m_name), text, result);
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(m_handle.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) raise("run a statement");
}

Statement Database::prepare(std::string_view sql) {
  return Statement(*this, sql);
}

std::uint64_t Database::changes() const {
  return static_cast<std::uint64_t>(sqlite3_changes64(m_handle.get()));
}
std::int64_t Database::last_insert_id() const {
  return sqlite3_last_insert_rowid(m_handle.get());
}

std::int64_t Database::user_version() {
  auto statement = prepare("PRAGMA user_version");
  return statement.step() ? statement.integer(0) : 0;
}

void Database::migrate(std::span<const char* const> migrations, std::string_view what) {
  const auto wanted = static_cast<std::int64_t>(migrations.size());
  if (user_version() == wanted) return;
  // Read again under the write lock: another process may have migrated meanwhile.
  Transaction transaction(*this);
  const auto version = user_version();
  if (version > wanted) {
    fail(ErrorCode::too_new, "the {} '{}' has schema version {}; this program knows up to {}", what, printable(m_name),
         version, wanted);
  }
  for (auto i = version; i < wanted; ++i) execute(migrations[static_cast<std::size_t>(i)]);
  execute(fmt::format("PRAGMA user_version = {}", wanted).c_str());
  transaction.commit();
}

Statement::Statement(Database& database, std::string_view sql) : m_database(&database) {
  sqlite3_stmt* handle = nullptr;
  if (sqlite3_prepare_v3(database.m_handle.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &handle, nullptr) != SQLITE_OK) {
    database.raise(fmt::format("prepare \"{}\"", sql));
  }
  m_handle.reset(handle);
}

void Statement::bind(int index, std::int64_t value) {
  if (sqlite3_bind_int64(m_handle.get(), index, value) != SQLITE_OK) m_database->raise("bind");
}

void Statement::bind(int index, std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(INT64_MAX)) {
    fail(ErrorCode::limit_exceeded, "the number {} is past 2^63 - 1", value);
  }
  bind(index, static_cast<std::int64_t>(value));
}

void Statement::bind(int index, std::string_view text) {
  // A null pointer would bind NULL.
  const char* data = text.data() == nullptr ? "" : text.data();
  if (sqlite3_bind_text64(m_handle.get(), index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK) {
    m_database->raise("bind");
  }
}

void Statement::bind(int index, std::span<const std::uint8_t> blob) {
  const void* data = blob.data() == nullptr ? static_cast<const void*>("") : blob.data();
  if (sqlite3_bind_blob64(m_handle.get(), index, data, blob.size(), SQLITE_STATIC) != SQLITE_OK) {
    m_database->raise("bind");
  }
}

bool Statement::step() {
  const int result = sqlite3_step(m_handle.get());
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) {
    try {
      m_database->raise("run a statement");
    } catch (...) {
      sqlite3_reset(m_handle.get());
      throw;
    }
  }
  sqlite3_reset(m_handle.get());
  return false;
}

void Statement::reset() {
  sqlite3_reset(m_handle.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(m_handle.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(m_handle.get(), column));
  return {data == nullptr ? "" : data, static_cast<std::size_t>(sqlite3_column_bytes(m_handle.get(), column))};
}

std::span<const std::uint8_t> Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(m_handle.get(), column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(m_handle.get(), column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(m_handle.get(), column) == SQLITE_NULL;
}

Transaction::Transaction(Database& database) : m_database(database) {
  m_database.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (!m_open) return;
  try {
    m_database.execute("ROLLBACK");
  } catch (...) {
    // SQLite rolled back by itself (disk full), or will when the connection closes.
  }
}

void Transaction::commit() {
  m_database.execute("COMMIT");
  m_open = false;
}

Snapshot::Snapshot(Database& database) : m_database(database) {
  m_database.execute("BEGIN");
}

Snapshot::~Snapshot() {
  try {
    m_database.execute("COMMIT");
  } catch (...) {
    // Nothing was written; the connection gives the read lock back at the latest when it closes.
  }
}

}  // namespace liftlock
