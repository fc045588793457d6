#include "store/publication_rows.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "store/catalog_columns.hpp"

namespace liftlock {

std::unordered_set<std::int64_t> PublicationRows::members(const Publication& of) {
  auto rows = m_db.prepare(
      "SELECT pa.artifact FROM publication_artifact pa JOIN publication p ON p.id = pa.publication"
      " WHERE p.channel = ? AND p.sequence = ?");
  rows.start(of.channel, of.sequence);
  std::unordered_set<std::int64_t> out;
  while (rows.step()) out.insert(rows.integer(0));
  return out;
}

bool PublicationRows::brings_more(const Publication& publication) {
  const auto held = members(publication);
  return std::any_of(publication.artifacts.begin(), publication.artifacts.end(), [&](const auto& artifact) {
    const auto row = m_artifacts.find(ArtifactRows::key(artifact));
    return !row || !held.contains(*row);
  });
}

void PublicationRows::insert(const Publication& publication) {
  m_db.prepare(
          "INSERT INTO publication(channel, sequence, bundle_digest, bundle_json, published_at) VALUES (?, ?, ?, ?, ?)"
          " ON CONFLICT (channel, sequence) DO UPDATE SET retired = 0, withdrawn = 0,"
          " published_at = excluded.published_at")
      .run(publication.channel, publication.sequence, publication.bundle_digest.bytes(), publication.bundle_json,
           time_value(publication.published_at));
  auto row = m_db.prepare("SELECT id FROM publication WHERE channel = ? AND sequence = ?");
  row.start(publication.channel, publication.sequence).step();
  const auto id = row.integer(0);
  row.reset();
  m_db.prepare("DELETE FROM publication_file WHERE publication = ?").run(id);

  auto held = members(publication);
  auto next = m_db.prepare("SELECT coalesce(max(position) + 1, 0) FROM publication_artifact WHERE publication = ?");
  next.start(id).step();
  auto position = next.unsigned_integer(0);
  next.reset();
  auto add_member = m_db.prepare("INSERT INTO publication_artifact VALUES (?, ?, ?)");
  for (std::size_t i = 0; i < publication.artifacts.size(); ++i) {
    const auto artifact = m_artifacts.add(publication.artifacts[i], facts_at(publication.facts, i));
    if (held.insert(artifact).second) add_member.run(id, position++, artifact);
  }
  auto add_other = m_db.prepare("INSERT INTO publication_file VALUES (?, ?, ?, ?, ?, ?)");
  position = 0;
  for (const auto& file : publication.other_files) {
    add_other.run(id, position++, file.path.text(), file.digest.bytes(), file.size, dump_json_line(to_json(file)));
  }
}

void PublicationRows::withdraw(const Artifact& artifact) {
  withdraw_rows(artifact, m_artifacts.rows_of_content(artifact));
}

void PublicationRows::withdraw_line(const Artifact& artifact) {
  const auto row = m_artifacts.find(ArtifactRows::key(artifact));
  withdraw_rows(artifact, row ? std::vector{*row} : std::vector<std::int64_t>());
}

void PublicationRows::withdraw_rows(const Artifact& artifact, const std::vector<std::int64_t>& rows) {
  auto mark = m_db.prepare(
      "UPDATE publication SET withdrawn = 1 WHERE id IN (SELECT publication FROM publication_artifact WHERE artifact = "
      "?)");
  auto remove = m_db.prepare("DELETE FROM publication_artifact WHERE artifact = ?");
  bool held = false;
  for (const auto row : rows) {
    mark.run(row);
    held = held || m_db.changes() > 0;
    remove.run(row);
  }
  if (!held) fail(ErrorCode::not_found, "no publication holds '{}'", printable(artifact.id()));
  m_artifacts.drop_unheld();
}

Publication PublicationRows::load(std::int64_t id) {
  auto head =
      m_db.prepare("SELECT channel, sequence, bundle_digest, bundle_json, published_at FROM publication WHERE id = ?");
  head.start(id).step();
  Publication out{.channel = std::string(head.text(0)),
                  .sequence = head.unsigned_integer(1),
                  .bundle_digest = digest_column(head, 2),
                  .bundle_json = std::string(head.text(3)),
                  .published_at = time_column(head, 4),
                  .artifacts = {},
                  .other_files = {}};
  auto members = m_db.prepare(
      "SELECT a.document FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact"
      " WHERE pa.publication = ? ORDER BY pa.position");
  members.start(id);
  while (members.step()) out.artifacts.push_back(artifact_column(members, 0));
  auto others = m_db.prepare("SELECT document FROM publication_file WHERE publication = ? ORDER BY position");
  others.start(id);
  while (others.step()) {
    out.other_files.push_back(artifact_file_from_json(parse_json(others.text(0), k_own_limits), "the catalog"));
  }
  return out;
}

std::optional<Publication> PublicationRows::load_first(Statement& ids) {
  if (!ids.step()) return std::nullopt;
  return load(ids.integer(0));
}

}  // namespace liftlock
