#include "store/artifact_rows.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "artifact/artifact_text.hpp"
#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "store/catalog.hpp"
#include "store/catalog_columns.hpp"
#include "store/content.hpp"

namespace liftlock {

Digest ArtifactRows::key(const Artifact& artifact) {
  return sha256(artifact_line(artifact));
}

std::optional<std::int64_t> ArtifactRows::find(const Digest& key) {
  std::optional<std::int64_t> id;
  if (m_find.start(key.bytes()).step()) id = m_find.integer(0);
  m_find.reset();
  return id;
}

std::int64_t ArtifactRows::row(const Artifact& artifact) {
  const auto document = artifact_line(artifact);
  const auto digest = sha256(document);
  if (const auto here = find(digest)) return *here;
  m_add.run(digest.bytes(), artifact.kind, artifact.name, artifact.version, artifact.total_size(), document);
  const auto id = m_db.last_insert_id();
  // In this order the table and its index grow at their ends.
  std::vector<const ArtifactFile*> files;
  for (const auto& file : artifact.files) files.push_back(&file);
  std::stable_sort(files.begin(), files.end(), [](const auto* a, const auto* b) { return a->digest < b->digest; });
  for (const auto* file : files) m_add_file.run(id, file->digest.bytes(), file->size);
  return id;
}

std::int64_t ArtifactRows::add(const Artifact& artifact, std::string_view facts) {
  const auto id = row(artifact);
  if (!facts.empty() && facts.size() <= Catalog::k_max_facts) m_set_facts.run(id, facts);
  return id;
}

void ArtifactRows::drop_unheld() {
  m_db.execute(
      "DELETE FROM artifact WHERE NOT EXISTS (SELECT 1 FROM publication_artifact pa WHERE pa.artifact = artifact.id)"
      " AND NOT EXISTS (SELECT 1 FROM set_artifact sa WHERE sa.artifact = artifact.id)");
}

std::vector<std::string> ArtifactRows::ids_of(std::string_view id_or_name) {
  // The three forms overlap ("a:b@1" may be a name), so the strictest that has a match wins.
  constexpr std::string_view k_forms[] = {"identity = ?", "name = ?", "name || '@' || version = ?"};
  for (const auto form : k_forms) {
    auto ids = m_db.prepare(fmt::format("SELECT DISTINCT identity FROM artifact WHERE {} ORDER BY 1", form));
    if (auto matches = text_rows(ids.start(id_or_name)); !matches.empty()) return matches;
  }
  return {};
}

// A bundle that was overtaken counts as if it had landed before those of its channel that overtook it: what it brings
// late must not take the place of what is newer. So within a channel the sequence decides, whatever a clock said.
Statement ArtifactRows::newest_first() {
  return m_db.prepare(
      "SELECT a.document, a.id, max(landed), max(sequence) FROM artifact a LEFT JOIN"
      " (SELECT pa.artifact AS held, p.sequence AS sequence,"
      "    (SELECT min(q.published_at) FROM publication q WHERE q.channel = p.channel AND q.sequence >= p.sequence) AS "
      "landed"
      "  FROM publication_artifact pa JOIN publication p ON p.id = pa.publication) ON held = a.id"
      " WHERE a.identity = ? GROUP BY a.id"
      " ORDER BY max(landed) DESC NULLS LAST, max(sequence) DESC NULLS LAST, a.id DESC");
}

bool ArtifactRows::stays_first(std::string_view id, std::string_view channel, std::uint64_t sequence) {
  auto overtaken = m_db.prepare("SELECT min(published_at) FROM publication WHERE channel = ? AND sequence >= ?");
  if (!overtaken.start(channel, sequence).step() || overtaken.is_null(0)) return false;
  auto first = newest_first();
  if (!first.start(id).step() || first.is_null(2)) return false;
  return std::pair(first.integer(2), first.unsigned_integer(3)) > std::pair(overtaken.integer(0), sequence);
}

std::vector<std::int64_t> ArtifactRows::rows_of_content(const Artifact& artifact) {
  const auto id = artifact.id();  // outlives the statement
  const auto wanted = content_digest(artifact);
  std::vector<std::int64_t> out;
  auto rows = newest_first();
  rows.start(id);
  while (rows.step()) {
    if (content_digest(artifact_column(rows, 0)) == wanted) out.push_back(rows.integer(1));
  }
  return out;
}

std::vector<Artifact> ArtifactRows::contents(std::string_view id) {
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

std::vector<Artifact> ArtifactRows::contents_named(std::string_view id_or_name) {
  std::vector<Artifact> out;
  for (const auto& id : ids_of(id_or_name)) {
    for (auto& artifact : contents(id)) out.push_back(std::move(artifact));
  }
  return out;
}

}  // namespace liftlock
