#include "store/catalog.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "db/database.hpp"
#include "store/artifact_rows.hpp"
#include "store/catalog_columns.hpp"
#include "store/catalog_schema.hpp"
#include "store/content.hpp"
#include "store/publication_rows.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_referenced_by =
    "SELECT 1 FROM publication_file WHERE digest = ?1"
    " UNION ALL SELECT 1 FROM artifact_file WHERE digest = ?1"
    " UNION ALL SELECT 1 FROM pin WHERE digest = ?1 LIMIT 1";

/// A store without its catalog does not know what it holds: a new one would make garbage of everything.
void require_not_lost(const fs::path& file) {
  if (fs::exists(file)) return;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator(file.parent_path() / "blobs", none)) {
    if (!entry.is_regular_file(none)) continue;
    throw Error(
        ErrorCode::store_invalid,
        fmt::format("the catalog '{}' is lost, and the store beside it holds files", printable(file.string())),
        "restore it from the newest backup; where there is none, move the folder of the store away, run `liftlock "
        "init --zone ZONE`, and bring the bundles again (docs/guides/operators.md)");
  }
}

/// A connection whose schema is the newest. Whoever wants to read an older one has to be able to migrate it.
std::unique_ptr<Database> open_migrated(const fs::path& file, Access access) {
  require_not_lost(file);
  auto db = std::make_unique<Database>(file, fs::exists(file) ? access : Access::write);
  if (access == Access::read && db->is_older_than(catalog_migrations())) {
    db.reset();
    db = std::make_unique<Database>(file, Access::write);
  }
  db->migrate(catalog_migrations(), "catalog");
  return db;
}

}  // namespace

struct Catalog::Impl {
  Impl(const fs::path& file, Access access) : connection(open_migrated(file, access)) {}

  void bump() { db.execute("UPDATE generation SET value = value + 1"); }

  std::unique_ptr<Database> connection;
  Database& db = *connection;
  ArtifactRows artifacts{db};
  PublicationRows publications{db, artifacts};
  Statement read_generation = db.prepare("SELECT value FROM generation");
};

Catalog::Catalog(const fs::path& file, Access access) : m_impl(std::make_unique<Impl>(file, access)) {}
Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;

void Catalog::publish(const Publication& publication, Retired retired, std::span<const Artifact> instead_of) {
  Transaction transaction(m_impl->db);
  auto known = m_impl->db.prepare(
      "SELECT bundle_digest, retired OR withdrawn FROM publication WHERE channel = ? AND sequence = ?");
  known.start(publication.channel, publication.sequence);
  if (known.step()) {
    const auto digest = digest_column(known, 0);
    if (digest != publication.bundle_digest) {
      fail(ErrorCode::immutable, "{}/{} is already the bundle {}; {} cannot take its place",
           printable(publication.channel), publication.sequence, digest.text(), publication.bundle_digest.text());
    }
    if (known.integer(1) == 0 && !m_impl->publications.brings_more(publication)) return;
    if (known.integer(1) != 0 && retired == Retired::refuse) {
      fail(ErrorCode::immutable, "{}/{} was retired", printable(publication.channel), publication.sequence);
    }
    known.reset();
  }
  m_impl->publications.insert(publication);
  for (const auto& artifact : instead_of) m_impl->publications.withdraw_line(artifact);
  m_impl->bump();
  transaction.commit();
}

std::vector<PublicationSummary> Catalog::publications() const {
  auto rows = m_impl->db.prepare(
      "SELECT p.channel, p.sequence, p.bundle_digest, p.published_at,"
      " (SELECT count(*) FROM publication_artifact pa WHERE pa.publication = p.id),"
      // total() does not overflow, where sum() fails.
      " CAST((SELECT total(a.size) FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact"
      "   WHERE pa.publication = p.id)"
      " + (SELECT total(f.size) FROM publication_file f WHERE f.publication = p.id) AS INTEGER),"
      " p.sequence = max(p.sequence) OVER (PARTITION BY p.channel)"
      " FROM publication p WHERE NOT p.retired ORDER BY p.channel, p.sequence");
  std::vector<PublicationSummary> out;
  while (rows.step()) {
    out.push_back({.channel = std::string(rows.text(0)),
                   .sequence = rows.unsigned_integer(1),
                   .bundle_digest = digest_column(rows, 2),
                   .published_at = time_column(rows, 3),
                   .artifact_count = static_cast<std::size_t>(rows.integer(4)),
                   .size = rows.unsigned_integer(5),
                   .latest = rows.integer(6) != 0});
  }
  return out;
}

std::optional<Publication> Catalog::publication(std::string_view channel, std::uint64_t sequence) const {
  const Snapshot snapshot(m_impl->db);
  auto ids = m_impl->db.prepare("SELECT id FROM publication WHERE channel = ? AND sequence = ? AND NOT retired");
  return m_impl->publications.load_first(ids.start(channel, sequence));
}

std::optional<Publication> Catalog::latest(std::string_view channel) const {
  const Snapshot snapshot(m_impl->db);
  auto ids =
      m_impl->db.prepare("SELECT id FROM publication WHERE channel = ? AND NOT retired ORDER BY sequence DESC LIMIT 1");
  return m_impl->publications.load_first(ids.start(channel));
}

void Catalog::retire(std::string_view channel, std::uint64_t sequence) {
  Transaction transaction(m_impl->db);
  auto ids = m_impl->db.prepare("SELECT id FROM publication WHERE channel = ? AND sequence = ? AND NOT retired");
  if (!ids.start(channel, sequence).step()) {
    fail(ErrorCode::not_found, "there is no publication {}/{}", printable(channel), sequence);
  }
  const auto id = ids.integer(0);
  ids.reset();
  m_impl->db.prepare("UPDATE publication SET retired = 1 WHERE id = ?").run(id);
  m_impl->db.prepare("DELETE FROM publication_artifact WHERE publication = ?").run(id);
  m_impl->db.prepare("DELETE FROM publication_file WHERE publication = ?").run(id);
  m_impl->artifacts.drop_unheld();
  m_impl->bump();
  transaction.commit();
}

void Catalog::withdraw(const Artifact& artifact) {
  Transaction transaction(m_impl->db);
  m_impl->publications.withdraw(artifact);
  m_impl->bump();
  transaction.commit();
}

std::vector<Catalog::RetiredPublication> Catalog::retired() const {
  auto rows = m_impl->db.prepare(
      "SELECT channel, sequence, bundle_digest FROM publication WHERE retired ORDER BY channel, sequence");
  std::vector<RetiredPublication> out;
  while (rows.step()) {
    out.push_back({std::string(rows.text(0)), rows.unsigned_integer(1), digest_column(rows, 2)});
  }
  return out;
}

bool Catalog::is_retired(std::string_view channel, std::uint64_t sequence) const {
  auto rows =
      m_impl->db.prepare("SELECT 1 FROM publication WHERE channel = ? AND sequence = ? AND (retired OR withdrawn)");
  return rows.start(channel, sequence).step();
}

void Catalog::replace_set(std::string_view name, const std::vector<Artifact>& artifacts,
                          const std::vector<std::string>& facts) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("INSERT OR IGNORE INTO artifact_set(name) VALUES (?)").run(name);
  auto row = m_impl->db.prepare("SELECT id FROM artifact_set WHERE name = ?");
  row.start(name).step();
  const auto id = row.integer(0);
  row.reset();
  m_impl->db.prepare("DELETE FROM set_artifact WHERE artifact_set = ?").run(id);
  auto add = m_impl->db.prepare("INSERT OR IGNORE INTO set_artifact VALUES (?, ?)");
  for (std::size_t i = 0; i < artifacts.size(); ++i)
    add.run(id, m_impl->artifacts.add(artifacts[i], facts_at(facts, i)));
  m_impl->artifacts.drop_unheld();
  m_impl->bump();
  transaction.commit();
}

void Catalog::remove_set(std::string_view name) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("DELETE FROM artifact_set WHERE name = ?").run(name);
  m_impl->artifacts.drop_unheld();
  m_impl->bump();
  transaction.commit();
}

std::vector<std::string> Catalog::sets() const {
  auto rows = m_impl->db.prepare("SELECT name FROM artifact_set ORDER BY name");
  return text_rows(rows);
}

std::vector<Artifact> Catalog::artifacts() const {
  auto rows = m_impl->db.prepare("SELECT document FROM artifact ORDER BY identity, id");
  std::vector<Artifact> out;
  while (rows.step()) out.push_back(artifact_column(rows, 0));
  return out;
}

std::vector<Artifact> Catalog::contents(std::string_view id) const {
  const Snapshot snapshot(m_impl->db);
  return m_impl->artifacts.contents(id);
}

std::vector<Artifact> Catalog::contents_named(std::string_view id_or_name) const {
  const Snapshot snapshot(m_impl->db);
  return m_impl->artifacts.contents_named(id_or_name);
}

bool Catalog::stays_first(std::string_view id, std::string_view channel, std::uint64_t sequence) const {
  const Snapshot snapshot(m_impl->db);
  return m_impl->artifacts.stays_first(id, channel, sequence);
}

std::optional<Artifact> Catalog::find(std::string_view id_or_name) const {
  const Snapshot snapshot(m_impl->db);
  if (const auto ids = m_impl->artifacts.ids_of(id_or_name); !ids.empty()) {
    if (ids.size() > 1) {
      fail(ErrorCode::ambiguous, "'{}' may be {}", printable(id_or_name),
           printable(fmt::format("{}", fmt::join(ids, ", "))));
    }
    auto rows = m_impl->artifacts.newest_first();
    if (rows.start(ids.front()).step()) return artifact_column(rows, 0);
  }
  const auto named = parse_named_content(id_or_name);
  if (!named) return std::nullopt;
  auto found = with_digest(m_impl->artifacts.contents_named(named->id_or_name), named->prefix);
  if (found.size() > 1) {
    std::vector<std::string> names;
    for (const auto& artifact : found) names.push_back(content_name(artifact));
    fail(ErrorCode::ambiguous, "'{}' may be {}", printable(id_or_name),
         printable(fmt::format("{}", fmt::join(names, ", "))));
  }
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

Json Catalog::inspection(const Artifact& artifact) const {
  auto rows =
      m_impl->db.prepare("SELECT i.facts FROM artifact a JOIN inspection i ON i.artifact = a.id WHERE a.digest = ?");
  if (!rows.start(ArtifactRows::key(artifact).bytes()).step()) return Json::object();
  return parse_json(rows.text(0), k_own_limits);
}

std::vector<std::string> Catalog::holders(std::string_view id) const {
  auto rows = m_impl->db.prepare(
      "SELECT DISTINCT p.channel || '/' || p.sequence FROM artifact a JOIN publication_artifact pa ON pa.artifact = "
      "a.id"
      " JOIN publication p ON p.id = pa.publication WHERE a.identity = ?1"
      " UNION SELECT 'set ' || s.name FROM artifact a JOIN set_artifact sa ON sa.artifact = a.id"
      " JOIN artifact_set s ON s.id = sa.artifact_set WHERE a.identity = ?1 ORDER BY "
      "1");
  return text_rows(rows.start(id));
}

std::vector<std::string> Catalog::holders(const Artifact& artifact) const {
  const Snapshot snapshot(m_impl->db);
  std::set<std::string> out;
  auto held = m_impl->db.prepare(
      "SELECT p.channel || '/' || p.sequence FROM publication_artifact pa JOIN publication p ON p.id = pa.publication"
      " WHERE pa.artifact = ?1"
      " UNION SELECT 'set ' || s.name FROM set_artifact sa JOIN artifact_set s ON s.id = sa.artifact_set"
      " WHERE sa.artifact = ?1");
  for (const auto row : m_impl->artifacts.rows_of_content(artifact)) {
    for (auto& holder : text_rows(held.start(row))) out.insert(std::move(holder));
  }
  return {out.begin(), out.end()};
}

std::vector<Catalog::SetFile> Catalog::set_files() const {
  auto rows = m_impl->db.prepare(
      "SELECT DISTINCT s.name, f.digest, f.size FROM artifact_set s JOIN set_artifact sa ON sa.artifact_set = s.id"
      " JOIN artifact_file f ON f.artifact = sa.artifact ORDER BY f.digest, s.name");
  std::vector<SetFile> out;
  while (rows.step()) out.push_back({std::string(rows.text(0)), digest_column(rows, 1), rows.unsigned_integer(2)});
  return out;
}

void Catalog::pin(std::string_view name, const std::vector<Digest>& digests) {
  Transaction transaction(m_impl->db);
  auto add = m_impl->db.prepare("INSERT OR REPLACE INTO pin VALUES (?, ?, ?)");
  const auto since = time_value(now());
  for (const auto& digest : digests) add.run(name, digest.bytes(), since);
  transaction.commit();
}

void Catalog::unpin(std::string_view name) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("DELETE FROM pin WHERE name = ?").run(name);
  transaction.commit();
}

void Catalog::unpin_older(std::string_view name, Timestamp before) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("DELETE FROM pin WHERE name = ? AND since < ?").run(name, time_value(before));
  transaction.commit();
}

std::vector<PinSummary> Catalog::pins() const {
  auto rows = m_impl->db.prepare("SELECT name, count(*), max(since) FROM pin GROUP BY name ORDER BY name");
  std::vector<PinSummary> out;
  while (rows.step()) {
    out.push_back({std::string(rows.text(0)), static_cast<std::size_t>(rows.integer(1)), time_column(rows, 2)});
  }
  return out;
}

std::set<Digest> Catalog::referenced() const {
  auto rows = m_impl->db.prepare(
      "SELECT digest FROM artifact_file UNION SELECT digest FROM publication_file UNION SELECT digest FROM pin ORDER "
      "BY 1");
  std::set<Digest> out;
  while (rows.step()) out.insert(out.end(), digest_column(rows, 0));
  return out;
}

std::map<Digest, std::uint64_t> Catalog::required() const {
  auto rows = m_impl->db.prepare(
      "SELECT digest, max(size) FROM (SELECT digest, size FROM artifact_file UNION ALL SELECT digest, size FROM"
      " publication_file) GROUP BY digest ORDER BY digest");
  std::map<Digest, std::uint64_t> out;
  while (rows.step()) out.emplace_hint(out.end(), digest_column(rows, 0), rows.unsigned_integer(1));
  return out;
}

std::vector<std::string> Catalog::users_of(const Digest& digest) const {
  auto rows = m_impl->db.prepare(
      "SELECT a.identity FROM artifact_file f JOIN artifact a ON a.id = f.artifact"
      " WHERE f.digest = ?1 UNION SELECT p.channel || '/' || p.sequence || ' ' || f.path FROM publication_file f"
      " JOIN publication p ON p.id = f.publication WHERE f.digest = ?1 ORDER BY 1");
  return text_rows(rows.start(digest.bytes()));
}

void Catalog::remove_unreferenced(std::span<const Digest> candidates,
                                  const std::function<void(const Digest&)>& remove) {
  Transaction transaction(m_impl->db);
  auto look = m_impl->db.prepare(k_referenced_by);
  for (const auto& digest : candidates) {
    if (!look.start(digest.bytes()).step()) remove(digest);
  }
  look.reset();
  transaction.commit();
}

std::optional<std::string> Catalog::passed(const Digest& key) const {
  auto rows = m_impl->db.prepare("SELECT facts FROM passed WHERE key = ?");
  if (!rows.start(key.bytes()).step()) return std::nullopt;
  return std::string(rows.text(0));
}

void Catalog::add_passed(const std::vector<std::pair<Digest, std::string>>& keys_and_facts) {
  if (keys_and_facts.empty()) return;
  Transaction transaction(m_impl->db);
  auto add = m_impl->db.prepare("INSERT OR REPLACE INTO passed VALUES (?, ?)");
  for (const auto& [key, facts] : keys_and_facts) {
    if (facts.size() <= k_max_facts) add.run(key.bytes(), facts);
  }
  transaction.commit();
}

void Catalog::forget_passed() {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("DELETE FROM passed").run();
  transaction.commit();
}

std::optional<std::string> Catalog::fact(std::string_view key) const {
  auto rows = m_impl->db.prepare("SELECT value FROM fact WHERE key = ?");
  if (!rows.start(key).step()) return std::nullopt;
  return std::string(rows.text(0));
}

void Catalog::set_fact(std::string_view key, std::string_view value) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("INSERT INTO fact VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
      .run(key, value);
  transaction.commit();
}

std::uint64_t Catalog::generation() const {
  auto& row = m_impl->read_generation;
  row.reset();
  if (!row.step()) fail(ErrorCode::store_invalid, "the catalog has no generation row");
  const auto value = row.unsigned_integer(0);
  row.reset();
  return value;
}

}  // namespace liftlock
