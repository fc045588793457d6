#include "store/catalog.hpp"

#include <algorithm>

#include "artifact/artifact_lines.hpp"
#include "artifact/artifact_text.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "crypto/hash.hpp"
#include "db/database.hpp"
#include "store/catalog_schema.hpp"
#include "store/content.hpp"

namespace liftlock {
namespace {

Digest digest_column(const Statement& row, int column) {
  return Digest(DigestAlgorithm::sha256, row.blob(column));
}

/// Written by us and covered by its digest on the way in, so the parser's limits for foreign documents do not matter.
constexpr JsonLimits k_own_limits{.max_bytes = 1u << 30, .max_depth = 64};

Artifact artifact_column(const Statement& row, int column) {
  return parse_artifact(row.text(column), k_own_limits);
}

Timestamp time_column(const Statement& row, int column) {
  return Timestamp(std::chrono::seconds(row.integer(column)));
}

std::int64_t seconds(Timestamp time) {
  return time.time_since_epoch().count();
}

std::vector<std::string> text_rows(Statement& statement) {
  std::vector<std::string> out;
  while (statement.step()) out.emplace_back(statement.text(0));
  return out;
}

std::string_view facts_at(const std::vector<std::string>& facts, std::size_t index) {
  return index < facts.size() ? std::string_view(facts[index]) : std::string_view();
}

constexpr std::string_view k_referenced_by =
    "SELECT 1 FROM publication_file WHERE digest = ?1"
    " UNION ALL SELECT 1 FROM artifact_file WHERE digest = ?1"
    " UNION ALL SELECT 1 FROM pin WHERE digest = ?1 LIMIT 1";

/// A connection whose schema is the newest. Whoever wants to read an older one has to be able to migrate it.
std::unique_ptr<Database> open_migrated(const fs::path& file, Access access) {
  auto db = std::make_unique<Database>(file, fs::exists(file) ? access : Access::write);
  if (access == Access::read && db->is_older_than(catalog_migrations())) {
    db.reset();
    db = std::make_unique<Database>(file, Access::write);
  }
  db->migrate(catalog_migrations(), "catalog");
  return db;
}

Digest digest_of(const Artifact& artifact) {
  return sha256(artifact_line(artifact));
}

}  // namespace

struct Catalog::Impl {
  Impl(const fs::path& file, Access access) : connection(open_migrated(file, access)) {}

  /// The row of this very artifact; made when there is none.
  std::int64_t artifact_row(const Artifact& artifact);
  /// The same, with what was learnt of it; what was known before stays when that is nothing.
  std::int64_t inspected_row(const Artifact& artifact, std::string_view facts);
  void insert_publication(const Publication& publication);
  Publication load(std::int64_t id);
  std::optional<Publication> load_first(Statement& ids);
  void withdraw(const Artifact& artifact);
  /// Of the strictest form that has a match.
  std::vector<std::string> ids_of(std::string_view id_or_name);
  /// Document and row of what stands under an id.
  Statement newest_first();
  std::vector<Artifact> contents(std::string_view id);
  /// Artifacts that nothing holds any more go, so that what is in the tables is what is live.
  void drop_unheld();
  void bump() { db.execute("UPDATE generation SET value = value + 1"); }

  std::unique_ptr<Database> connection;
  Database& db = *connection;
  Statement find_artifact = db.prepare("SELECT id FROM artifact WHERE digest = ?");
  Statement add_artifact =
      db.prepare("INSERT INTO artifact(digest, kind, name, version, size, document) VALUES (?, ?, ?, ?, ?, ?)");
  Statement set_facts = db.prepare("INSERT OR REPLACE INTO inspection VALUES (?, ?)");
  Statement add_file = db.prepare("INSERT OR IGNORE INTO artifact_file VALUES (?, ?, ?)");
  Statement read_generation = db.prepare("SELECT value FROM generation");
};

std::int64_t Catalog::Impl::artifact_row(const Artifact& artifact) {
  const auto document = artifact_line(artifact);
  const auto digest = sha256(document);
  find_artifact.start(digest.bytes());
  if (find_artifact.step()) {
    const auto id = find_artifact.integer(0);
    find_artifact.reset();
    return id;
  }
  add_artifact.run(digest.bytes(), artifact.kind, artifact.name, artifact.version, artifact.total_size(), document);
  const auto id = db.last_insert_id();
  for (const auto& file : artifact.files) add_file.run(id, file.digest.bytes(), file.size);
  return id;
}

std::int64_t Catalog::Impl::inspected_row(const Artifact& artifact, std::string_view facts) {
  const auto id = artifact_row(artifact);
  if (!facts.empty() && facts.size() <= k_max_facts) set_facts.run(id, facts);
  return id;
}

void Catalog::Impl::insert_publication(const Publication& publication) {
  db.prepare(
        "INSERT INTO publication(channel, sequence, bundle_digest, bundle_json, published_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (channel, sequence) DO UPDATE SET retired = 0, withdrawn = 0,"
        " published_at = excluded.published_at")
      .run(publication.channel, publication.sequence, publication.bundle_digest.bytes(), publication.bundle_json,
           seconds(publication.published_at));
  auto row = db.prepare("SELECT id FROM publication WHERE channel = ? AND sequence = ?");
  row.start(publication.channel, publication.sequence).step();
  const auto id = row.integer(0);
  row.reset();
  // What is left of one that somebody withdrew a part of.
  db.prepare("DELETE FROM publication_artifact WHERE publication = ?").run(id);
  db.prepare("DELETE FROM publication_file WHERE publication = ?").run(id);

  auto add_member = db.prepare("INSERT INTO publication_artifact VALUES (?, ?, ?)");
  std::uint64_t position = 0;
  for (const auto& artifact : publication.artifacts) {
    add_member.run(id, position, inspected_row(artifact, facts_at(publication.facts, position)));
    ++position;
  }
  auto add_other = db.prepare("INSERT INTO publication_file VALUES (?, ?, ?, ?, ?, ?)");
  position = 0;
  for (const auto& file : publication.other_files) {
    add_other.run(id, position++, file.path.text(), file.digest.bytes(), file.size, dump_json_line(to_json(file)));
  }
}

Publication Catalog::Impl::load(std::int64_t id) {
  auto head =
      db.prepare("SELECT channel, sequence, bundle_digest, bundle_json, published_at FROM publication WHERE id = ?");
  head.start(id).step();
  Publication out{.channel = std::string(head.text(0)),
                  .sequence = head.unsigned_integer(1),
                  .bundle_digest = digest_column(head, 2),
                  .bundle_json = std::string(head.text(3)),
                  .published_at = time_column(head, 4),
                  .artifacts = {},
                  .other_files = {}};
  auto members = db.prepare(
      "SELECT a.document FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact"
      " WHERE pa.publication = ? ORDER BY pa.position");
  members.start(id);
  while (members.step()) out.artifacts.push_back(artifact_column(members, 0));
  auto others = db.prepare("SELECT document FROM publication_file WHERE publication = ? ORDER BY position");
  others.start(id);
  while (others.step()) {
    out.other_files.push_back(artifact_file_from_json(parse_json(others.text(0), k_own_limits), "the catalog"));
  }
  return out;
}

std::optional<Publication> Catalog::Impl::load_first(Statement& ids) {
  if (!ids.step()) return std::nullopt;
  return load(ids.integer(0));
}

void Catalog::Impl::drop_unheld() {
  db.execute(
      "DELETE FROM artifact WHERE NOT EXISTS (SELECT 1 FROM publication_artifact pa WHERE pa.artifact = artifact.id)"
      " AND NOT EXISTS (SELECT 1 FROM set_artifact sa WHERE sa.artifact = artifact.id)");
}

Catalog::Catalog(const fs::path& file, Access access) : m_impl(std::make_unique<Impl>(file, access)) {}
Catalog::~Catalog() = default;
Catalog::Catalog(Catalog&&) noexcept = default;
Catalog& Catalog::operator=(Catalog&&) noexcept = default;

void Catalog::publish(const Publication& publication, Retired retired, std::span<const Artifact> instead_of) {
  Transaction transaction(m_impl->db);
  auto known = m_impl->db.prepare(
      "SELECT bundle_digest, retired OR withdrawn,"
      " (SELECT count(*) FROM publication_artifact pa WHERE pa.publication = p.id)"
      " FROM publication p WHERE channel = ? AND sequence = ?");
  known.start(publication.channel, publication.sequence);
  if (known.step()) {
    const auto digest = digest_column(known, 0);
    if (digest != publication.bundle_digest) {
      fail(ErrorCode::immutable, "{}/{} is already the bundle {}; {} cannot take its place",
           printable(publication.channel), publication.sequence, digest.text(), publication.bundle_digest.text());
    }
    const bool brings_more = known.unsigned_integer(2) < publication.artifacts.size();
    if (known.integer(1) == 0 && !brings_more) return;
    if (known.integer(1) != 0 && retired == Retired::refuse) {
      fail(ErrorCode::immutable, "{}/{} was retired", printable(publication.channel), publication.sequence);
    }
    known.reset();
  }
  m_impl->insert_publication(publication);
  for (const auto& artifact : instead_of) m_impl->withdraw(artifact);
  m_impl->bump();
  transaction.commit();
}

std::vector<PublicationSummary> Catalog::publications() const {
  auto rows = m_impl->db.prepare(
      "SELECT p.channel, p.sequence, p.bundle_digest, p.published_at,"
      " (SELECT count(*) FROM publication_artifact pa WHERE pa.publication = p.id),"
      " (SELECT coalesce(sum(a.size), 0) FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact"
      "   WHERE pa.publication = p.id)"
      " + (SELECT coalesce(sum(f.size), 0) FROM publication_file f WHERE f.publication = p.id),"
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
  return m_impl->load_first(ids.start(channel, sequence));
}

std::optional<Publication> Catalog::latest(std::string_view channel) const {
  const Snapshot snapshot(m_impl->db);
  auto ids =
      m_impl->db.prepare("SELECT id FROM publication WHERE channel = ? AND NOT retired ORDER BY sequence DESC LIMIT 1");
  return m_impl->load_first(ids.start(channel));
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
  m_impl->drop_unheld();
  m_impl->bump();
  transaction.commit();
}

void Catalog::withdraw(const Artifact& artifact) {
  Transaction transaction(m_impl->db);
  m_impl->withdraw(artifact);
  m_impl->bump();
  transaction.commit();
}

void Catalog::Impl::withdraw(const Artifact& artifact) {
  constexpr std::string_view k_held =
      "(SELECT pa.publication FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact WHERE a.digest = ?)";
  const auto digest = digest_of(artifact);
  auto held = db.prepare(fmt::format("SELECT 1 WHERE EXISTS {}", k_held));
  if (!held.start(digest.bytes()).step())
    fail(ErrorCode::not_found, "no publication holds '{}'", printable(artifact.id()));
  held.reset();
  db.prepare(fmt::format("UPDATE publication SET withdrawn = 1 WHERE id IN {}", k_held)).run(digest.bytes());
  db.prepare("DELETE FROM publication_artifact WHERE artifact = (SELECT id FROM artifact WHERE digest = ?)")
      .run(digest.bytes());
  drop_unheld();
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
    add.run(id, m_impl->inspected_row(artifacts[i], facts_at(facts, i)));
  m_impl->drop_unheld();
  m_impl->bump();
  transaction.commit();
}

void Catalog::remove_set(std::string_view name) {
  Transaction transaction(m_impl->db);
  m_impl->db.prepare("DELETE FROM artifact_set WHERE name = ?").run(name);
  m_impl->drop_unheld();
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

std::vector<std::string> Catalog::Impl::ids_of(std::string_view id_or_name) {
  // The three forms overlap ("a:b@1" may be a name), so the strictest that has a match wins.
  constexpr std::string_view k_forms[] = {"identity = ?", "name = ?", "name || '@' || version = ?"};
  for (const auto form : k_forms) {
    auto ids = db.prepare(fmt::format("SELECT DISTINCT identity FROM artifact WHERE {} ORDER BY 1", form));
    if (auto matches = text_rows(ids.start(id_or_name)); !matches.empty()) return matches;
  }
  return {};
}

Statement Catalog::Impl::newest_first() {
  return db.prepare(
      "SELECT a.document, a.id FROM artifact a WHERE a.identity = ? ORDER BY"
      " (SELECT max(p.published_at) FROM publication_artifact pa JOIN publication p ON p.id = pa.publication"
      "   WHERE pa.artifact = a.id) DESC NULLS LAST,"
      " (SELECT max(p.sequence) FROM publication_artifact pa JOIN publication p ON p.id = pa.publication"
      "   WHERE pa.artifact = a.id) DESC NULLS LAST, a.id DESC");
}

std::vector<Artifact> Catalog::Impl::contents(std::string_view id) {
  std::vector<Artifact> out;
  std::set<Digest> seen;
  auto rows = newest_first();
  rows.start(id);
  while (rows.step()) {
    auto artifact = artifact_column(rows, 0);
    if (seen.insert(content_digest(artifact)).second) out.push_back(std::move(artifact));
  }
  return out;
}

std::vector<Artifact> Catalog::contents(std::string_view id) const {
  const Snapshot snapshot(m_impl->db);
  return m_impl->contents(id);
}

std::optional<Artifact> Catalog::find(std::string_view id_or_name) const {
  const Snapshot snapshot(m_impl->db);
  if (const auto ids = m_impl->ids_of(id_or_name); !ids.empty()) {
    if (ids.size() > 1) {
      fail(ErrorCode::ambiguous, "'{}' may be {}", printable(id_or_name),
           printable(fmt::format("{}", fmt::join(ids, ", "))));
    }
    auto rows = m_impl->newest_first();
    if (rows.start(ids.front()).step()) return artifact_column(rows, 0);
  }
  const auto named = parse_named_content(id_or_name);
  if (!named) return std::nullopt;
  std::vector<Artifact> found;
  for (const auto& id : m_impl->ids_of(named->id_or_name)) {
    for (auto& artifact : m_impl->contents(id)) found.push_back(std::move(artifact));
  }
  found = with_digest(std::move(found), named->prefix);
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
  if (!rows.start(digest_of(artifact).bytes()).step()) return Json::object();
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
  const auto id = artifact.id();  // outlives the statement
  const auto wanted = content_digest(artifact);
  std::set<std::string> out;
  auto rows = m_impl->newest_first();
  auto held = m_impl->db.prepare(
      "SELECT p.channel || '/' || p.sequence FROM publication_artifact pa JOIN publication p ON p.id = pa.publication"
      " WHERE pa.artifact = ?1"
      " UNION SELECT 'set ' || s.name FROM set_artifact sa JOIN artifact_set s ON s.id = sa.artifact_set"
      " WHERE sa.artifact = ?1");
  rows.start(id);
  while (rows.step()) {
    if (content_digest(artifact_column(rows, 0)) != wanted) continue;
    for (auto& holder : text_rows(held.start(rows.integer(1)))) out.insert(std::move(holder));
  }
  return {out.begin(), out.end()};
}

void Catalog::pin(std::string_view name, const std::vector<Digest>& digests) {
  Transaction transaction(m_impl->db);
  auto add = m_impl->db.prepare("INSERT OR REPLACE INTO pin VALUES (?, ?, ?)");
  const auto since = seconds(now());
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
  m_impl->db.prepare("DELETE FROM pin WHERE name = ? AND since < ?").run(name, seconds(before));
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
