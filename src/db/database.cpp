#include "db/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>

#include <chrono>
#include <cstring>
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

/// What a committed change of the file that we copied would show in.
bool same_version(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

fs::path beside(const fs::path& file, const char* suffix) {
  return file.string() + suffix;
}

/// https://www.sqlite.org/fileformat2.html#the_write_ahead_log: frames, which are the changes, follow it.
constexpr std::uint64_t k_wal_header = 32;

std::uint64_t wal_size(const fs::path& file) {
  std::error_code absent;
  const auto size = fs::file_size(beside(file, "-wal"), absent);
  return absent ? 0 : size;
}

/// file:/path?parameters, with what a URI would read as something else escaped.
std::string uri(const fs::path& file, std::string_view parameters) {
  std::string out = "file:";
  for (const char c : fs::absolute(file).string()) {
    if (c == '%' || c == '?' || c == '#') {
      out += fmt::format("%{:02x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + std::string(parameters);
}

/// Larger catalogs have -wal and -shm, or are opened by somebody who may write.
constexpr std::uint64_t k_max_copy = 1u << 30;

}  // namespace

void Database::Close::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}
void Statement::Finalize::operator()(sqlite3_stmt* handle) const {
  sqlite3_finalize(handle);
}

Database::Database(const fs::path& file, Access access) : m_name(file.string()) {
  if (access == Access::read) {
    open_to_read(file);
  } else {
    open(m_name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    // SQLite falls back to reading where it may not write.
    if (sqlite3_db_readonly(m_handle.get(), "main") == 1) {
      throw Error(ErrorCode::io_error, fmt::format("no permission to write '{}'", printable(m_name)),
                  "run it as the user who owns the store, on a file system that is mounted writable");
    }
    enter_wal();
    // Emptied when the last connection closes, but not removed.
    int persist = 1;
    sqlite3_file_control(m_handle.get(), "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    execute("PRAGMA journal_size_limit = 4194304; PRAGMA synchronous = FULL");
  }
  execute(
      "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON; PRAGMA cache_size = -16384;"
      "PRAGMA temp_store = MEMORY");
}

void Database::open(const std::string& name, int flags) {
  sqlite3* handle = nullptr;
  const int result = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  m_handle.reset(handle);
  if (result != SQLITE_OK) raise("open");
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, k_busy_timeout_ms);
  // The file is ours, yet it may have been damaged or edited: its schema must not run functions, and pages are checked.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

// A writer that was killed between the header of -wal and its first frame leaves that header alone. SQLite's readers
// without write access compare it with an index that knows nothing of it, for ten seconds, and give up with
// SQLITE_PROTOCOL (walBeginShmUnreliable of wal.c). Who may write mends it; to others it says nothing yet.
void Database::open_to_read(const fs::path& file) {
  if (wal_size(file) == k_wal_header) {
    try {
      const Database mended(file, Access::write);
    } catch (const Error&) {
      return load_copy(file);
    }
  }
  if (fs::exists(beside(file, "-wal")) && fs::exists(beside(file, "-shm"))) {
    open(uri(file, "?mode=ro&readonly_shm=1"), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
  } else {
    load_copy(file);
  }
}

// Without -shm nobody has the file open, so it changes only if a writer comes and goes while we copy: that shows.
// SQLite's own answer to a file without -shm, immutable=1, would read torn pages then.
void Database::load_copy(const fs::path& file) {
  constexpr int k_attempts = 10;
  for (int i = 0; i < k_attempts; ++i) {
    const auto fd = open_file(file, O_RDONLY);
    const auto before = stat_of(fd.get(), m_name);
    auto bytes = read_all(fd.get(), k_max_copy, m_name);
    if (wal_size(file) > k_wal_header) {
      throw Error(ErrorCode::io_error, fmt::format("'{}' has changes that were not merged into it", printable(m_name)),
                  "run a command that writes (such as `liftlock gc`) once as the user who owns the store");
    }
    if (!same_version(before, stat_of(fd.get(), m_name))) continue;
    // Version 2 in the header says WAL, which no copy in memory can have.
    // https://www.sqlite.org/fileformat2.html#file_format_version_numbers
    if (bytes.size() > 20 && bytes[18] == 2) bytes[18] = bytes[19] = 1;
    open(":memory:", SQLITE_OPEN_READWRITE);
    auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(bytes.size() + 1));
    if (copy == nullptr) fail(ErrorCode::memory_limit, "no memory to read '{}'", printable(m_name));
    std::memcpy(copy, bytes.data(), bytes.size());
    const auto size = static_cast<sqlite3_int64>(bytes.size());
    if (sqlite3_deserialize(m_handle.get(), "main", copy, size, size,
                            SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) != SQLITE_OK) {
      raise("read");
    }
    return;
  }
  fail(ErrorCode::busy, "'{}' changes all the time", printable(m_name));
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

bool Database::is_older_than(std::span<const char* const> migrations) {
  return user_version() < static_cast<std::int64_t>(migrations.size());
}

void Database::migrate(std::span<const char* const> migrations, std::string_view what) {
  const auto wanted = static_cast<std::int64_t>(migrations.size());
  const auto known_version = [&] {
    const auto version = user_version();
    if (version <= wanted) return version;
    fail(ErrorCode::too_new, "the {} '{}' has schema version {}; this program knows up to {}", what, printable(m_name),
         version, wanted);
  };
  if (known_version() == wanted) return;
  // Read again under the write lock: another process may have migrated meanwhile.
  Transaction transaction(*this);
  const auto version = known_version();
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
