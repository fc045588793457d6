#include "access/key_ring.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "db/database.hpp"

namespace liftlock {
namespace {

constexpr const char* k_migrations[] = {
    R"(
CREATE TABLE key(
  number              INTEGER PRIMARY KEY,
  id                  TEXT NOT NULL UNIQUE,
  digest              BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  user                TEXT NOT NULL,
  role                TEXT NOT NULL,
  models              TEXT NOT NULL,
  requests_per_minute INTEGER NOT NULL,
  tokens_per_minute   INTEGER NOT NULL,
  tokens_per_day      INTEGER NOT NULL,
  expires             INTEGER,
  label               TEXT NOT NULL,
  created             INTEGER NOT NULL,
  revoked             INTEGER,
  revoked_reason      TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE usage(
  day    INTEGER NOT NULL,
  key    TEXT NOT NULL REFERENCES key(id),
  tokens INTEGER NOT NULL,
  PRIMARY KEY (day, key)) STRICT, WITHOUT ROWID;
CREATE TABLE generation(
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  value    INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (1, 1);
)",
    R"(
ALTER TABLE key RENAME COLUMN label TO note;
ALTER TABLE key ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE key ADD COLUMN record TEXT NOT NULL DEFAULT '';
)",
};

constexpr std::size_t k_max_text = 200;
constexpr std::size_t k_max_models = 1000;
constexpr int k_days_kept = 32;

constexpr std::array<std::pair<UserRole, std::string_view>, 4> k_roles = {{{UserRole::viewer, "viewer"},
                                                                           {UserRole::operate, "operator"},
                                                                           {UserRole::admin, "admin"},
                                                                           {UserRole::auditor, "auditor"}}};

template <std::size_t size>
std::array<std::uint8_t, size> random_bytes() {
  std::array<std::uint8_t, size> bytes{};
  if (RAND_priv_bytes(bytes.data(), static_cast<int>(size)) != 1) {
    fail(ErrorCode::algorithm_unavailable, "OpenSSL gives no random bytes");
  }
  return bytes;
}

void require_text(std::string_view text, std::string_view what, std::size_t min) {
  const bool control =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (text.size() < min || text.size() > k_max_text || control || !is_utf8(text)) {
    fail(ErrorCode::usage, "the {} '{}' is not {} to {} bytes of text without control characters", what,
         printable(text.substr(0, k_max_text)), min, k_max_text);
  }
}

std::int64_t seconds(Timestamp time) {
  return time.time_since_epoch().count();
}

Timestamp time_column(const Statement& row, int column) {
  return Timestamp(std::chrono::seconds(row.integer(column)));
}

std::optional<Timestamp> optional_time(const Statement& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return time_column(row, column);
}

constexpr std::string_view k_select =
    "SELECT digest, id, user, role, models, requests_per_minute, tokens_per_minute, tokens_per_day, expires, note,"
    " created, revoked, revoked_reason, label, record FROM key ORDER BY number";

/// @throws Error and Json::exception for a row that no KeyRing wrote
ApiKey key_of(const Statement& row) {
  ApiKey key;
  key.id = row.text(1);
  key.user = row.text(2);
  const auto role = parse_user_role(row.text(3));
  if (!role) fail(ErrorCode::store_invalid, "the key {} has the role '{}'", key.id, printable(row.text(3)));
  key.role = *role;
  key.models = parse_json(row.text(4)).get<std::vector<std::string>>();
  key.limits = {.requests_per_minute = static_cast<unsigned>(row.integer(5)),
                .tokens_per_minute = row.unsigned_integer(6),
                .tokens_per_day = row.unsigned_integer(7)};
  key.expires = optional_time(row, 8);
  key.note = row.text(9);
  key.created = time_column(row, 10);
  key.revoked = optional_time(row, 11);
  key.revoked_reason = row.text(12);
  key.label = row.text(13);
  key.record = row.text(14);
  KeyRing::require_valid(key);
  if (!is_utf8(key.revoked_reason)) fail(ErrorCode::store_invalid, "the reason why {} was revoked is no text", key.id);
  return key;
}

/// nullopt: the row is unreadable.
std::optional<std::pair<Digest, ApiKey>> read_row(const Statement& row) {
  try {
    return std::pair(Digest(DigestAlgorithm::sha256, row.blob(0)), key_of(row));
  } catch (const Error&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::unique_ptr<Database> open_migrated(const fs::path& file, Access access) {
  auto db = std::make_unique<Database>(file, access);
  db->migrate(k_migrations, "key ring");
  return db;
}

}  // namespace

std::string_view name(UserRole role) {
  return std::find_if(k_roles.begin(), k_roles.end(), [&](const auto& one) { return one.first == role; })->second;
}

std::optional<UserRole> parse_user_role(std::string_view text) {
  for (const auto& [role, word] : k_roles) {
    if (word == text) return role;
  }
  return std::nullopt;
}

bool may(UserRole role, Right right) {
  switch (right) {
    case Right::ask:
      return role != UserRole::auditor;
    case Right::load:
      return role == UserRole::operate || role == UserRole::admin;
    case Right::keys:
      return role == UserRole::admin;
    case Right::records:
      return role == UserRole::auditor;
  }
  return false;
}

struct KeyRing::Impl {
  Impl(const fs::path& file, Access access) : connection(open_migrated(file, access)) {}
  std::unique_ptr<Database> connection;
  Database& db = *connection;
  Statement read_generation = db.prepare("SELECT value FROM generation");
};

KeyRing::KeyRing(const fs::path& file, Access access) {
  if (access == Access::read && !fs::exists(file)) {
    throw Error(ErrorCode::not_found, fmt::format("there are no keys in '{}'", printable(file.string())),
                "make the first with `liftlock key add USER`");
  }
  m_impl = std::make_unique<Impl>(file, access);
}
KeyRing::~KeyRing() = default;
KeyRing::KeyRing(KeyRing&&) noexcept = default;

std::string KeyRing::new_id() {
  return "key_" + encode_hex(random_bytes<6>());
}

std::string KeyRing::new_secret() {
  auto bytes = random_bytes<32>();
  auto secret = "llk_" + encode_base64url(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

void KeyRing::require_valid(const ApiKey& key) {
  require_text(key.id, "key id", 1);
  require_text(key.user, "user", 1);
  require_text(key.label, "label", 0);
  require_text(key.record, "mode of the record", 0);
  require_text(key.note, "note", 0);
  if (key.models.size() > k_max_models) fail(ErrorCode::usage, "a key for more than {} models", k_max_models);
  for (const auto& model : key.models) require_text(model, "model", 1);
}

std::string KeyRing::add(const ApiKey& key, std::string secret) {
  require_valid(key);
  auto& db = m_impl->db;
  const auto digest = sha256(secret);
  const auto models = dump_json_line(key.models);
  Transaction transaction(db);
  db.prepare(
        "INSERT OR IGNORE INTO key(id, digest, user, role, models, requests_per_minute, tokens_per_minute,"
        " tokens_per_day, note, created, label, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .run(std::string_view(key.id), digest.bytes(), std::string_view(key.user), name(key.role),
           std::string_view(models), std::uint64_t{key.limits.requests_per_minute}, key.limits.tokens_per_minute,
           key.limits.tokens_per_day, std::string_view(key.note), seconds(key.created), std::string_view(key.label),
           std::string_view(key.record));
  if (db.changes() == 0) fail(ErrorCode::usage, "there is a key {} already", printable(key.id));
  if (key.expires)
    db.prepare("UPDATE key SET expires = ? WHERE id = ?").run(seconds(*key.expires), std::string_view(key.id));
  db.execute("UPDATE generation SET value = value + 1");
  transaction.commit();
  return secret;
}

std::vector<ApiKey> KeyRing::list() const {
  std::vector<ApiKey> keys;
  for (auto& [digest, key] : table()) keys.push_back(std::move(key));
  return keys;
}

std::vector<UnreadableKey> KeyRing::unreadable() const {
  std::vector<UnreadableKey> keys;
  auto row = m_impl->db.prepare(k_select);
  while (row.step()) {
    if (!read_row(row)) keys.push_back({.id = std::string(row.text(1)), .is_revoked = !row.is_null(11)});
  }
  return keys;
}

bool KeyRing::contains(const std::string& id) const {
  auto find = m_impl->db.prepare("SELECT 1 FROM key WHERE id = ?");
  find.start(std::string_view(id));
  return find.step();
}

void KeyRing::revoke(const std::string& id, Timestamp when, std::string_view reason) {
  auto& db = m_impl->db;
  Transaction transaction(db);
  auto find = db.prepare("SELECT revoked FROM key WHERE id = ?");
  find.start(std::string_view(id));
  if (!find.step()) {
    throw Error(ErrorCode::key_unknown, fmt::format("there is no key '{}'", printable(id)), "see `liftlock key ls`");
  }
  if (!find.is_null(0)) {
    throw Error(ErrorCode::immutable, fmt::format("the key {} is revoked already", printable(id)),
                "see `liftlock key ls`");
  }
  find.reset();
  db.prepare("UPDATE key SET revoked = ?, revoked_reason = ? WHERE id = ?")
      .run(seconds(when), reason, std::string_view(id));
  db.execute("UPDATE generation SET value = value + 1");
  transaction.commit();
}

std::uint64_t KeyRing::generation() const {
  auto& statement = m_impl->read_generation;
  statement.start();
  if (!statement.step()) fail(ErrorCode::store_invalid, "the key ring has no generation");
  const auto value = statement.unsigned_integer(0);
  statement.reset();
  return value;
}

std::vector<std::pair<Digest, ApiKey>> KeyRing::table() const {
  std::vector<std::pair<Digest, ApiKey>> keys;
  auto row = m_impl->db.prepare(k_select);
  while (row.step()) {
    if (auto key = read_row(row)) keys.push_back(std::move(*key));
  }
  return keys;
}

std::map<std::string, std::uint64_t> KeyRing::count_tokens(Day day,
                                                           const std::map<std::string, std::uint64_t>& tokens) {
  auto& db = m_impl->db;
  const std::int64_t number = day.time_since_epoch().count();
  std::map<std::string, std::uint64_t> totals;
  Transaction transaction(db);
  auto add = db.prepare(
      "INSERT INTO usage VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET tokens = tokens + excluded.tokens"
      " RETURNING tokens");
  for (const auto& [id, count] : tokens) {
    add.start(number, std::string_view(id), count);
    while (add.step()) totals[id] = add.unsigned_integer(0);
  }
  db.prepare("DELETE FROM usage WHERE day < ?").run(number - k_days_kept);
  transaction.commit();
  return totals;
}

std::map<std::string, std::uint64_t> KeyRing::tokens_of(Day day) const {
  std::map<std::string, std::uint64_t> totals;
  auto row = m_impl->db.prepare("SELECT key, tokens FROM usage WHERE day = ?");
  row.start(std::int64_t{day.time_since_epoch().count()});
  while (row.step()) totals.emplace(row.text(0), row.unsigned_integer(1));
  return totals;
}

}  // namespace liftlock
