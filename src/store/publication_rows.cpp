#include "store/publication_rows.hpp"

#include <string>
#include <string_view>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "store/catalog_columns.hpp"

namespace liftlock {

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
  // What is left of one that somebody withdrew a part of.
  m_db.prepare("DELETE FROM publication_artifact WHERE publication = ?").run(id);
  m_db.prepare("DELETE FROM publication_file WHERE publication = ?").run(id);

  auto add_member = m_db.prepare("INSERT INTO publication_artifact VALUES (?, ?, ?)");
  std::uint64_t position = 0;
  for (const auto& artifact : publication.artifacts) {
    add_member.run(id, position, m_artifacts.add(artifact, facts_at(publication.facts, position)));
    ++position;
  }
  auto add_other = m_db.prepare("INSERT INTO publication_file VALUES (?, ?, ?, ?, ?, ?)");
  position = 0;
  for (const auto& file : publication.other_files) {
    add_other.run(id, position++, file.path.text(), file.digest.bytes(), file.size, dump_json_line(to_json(file)));
  }
}

void PublicationRows::withdraw(const Artifact& artifact) {
  constexpr std::string_view k_held =
      "(SELECT pa.publication FROM publication_artifact pa JOIN artifact a ON a.id = pa.artifact WHERE a.digest = ?)";
  const auto digest = ArtifactRows::key(artifact);
  auto held = m_db.prepare(fmt::format("SELECT 1 WHERE EXISTS {}", k_held));
  if (!held.start(digest.bytes()).step())
    fail(ErrorCode::not_found, "no publication holds '{}'", printable(artifact.id()));
  held.reset();
  m_db.prepare(fmt::format("UPDATE publication SET withdrawn = 1 WHERE id IN {}", k_held)).run(digest.bytes());
  m_db.prepare("DELETE FROM publication_artifact WHERE artifact = (SELECT id FROM artifact WHERE digest = ?)")
      .run(digest.bytes());
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
