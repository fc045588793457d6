// Inside of Catalog: the artifacts that publications and sets hold. What is in the table is what is live.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "db/database.hpp"

namespace liftlock {

/// What Publication::facts has of artifacts[index].
inline std::string_view facts_at(const std::vector<std::string>& facts, std::size_t index) {
  return index < facts.size() ? std::string_view(facts[index]) : std::string_view();
}

/// Transactions are the caller's.
class ArtifactRows {
 public:
  /// @param db outlives the object
  explicit ArtifactRows(Database& db) : m_db(db) {}

  /// What tells two artifacts of one id apart: the SHA-256 of its whole line.
  static Digest key(const Artifact& artifact);

  /// The row of this very artifact; made when there is none.
  /// @param facts what was learnt of it; what was known before stays when that is nothing
  std::int64_t add(const Artifact& artifact, std::string_view facts);
  /// Artifacts that nothing holds any more go.
  void drop_unheld();

  /// Whose id, "name" or "name@version" it is, of the strictest of these forms that has a match.
  std::vector<std::string> ids_of(std::string_view id_or_name);
  /// The row of the artifact with this key, if there is one.
  std::optional<std::int64_t> find(const Digest& key);
  /// The rows of these very bytes under its id, whatever their lines say besides.
  std::vector<std::int64_t> rows_of_content(const Artifact& artifact);
  /// Document, row, and the time and sequence that decided, of what stands under an id (its only parameter), the one
  /// that was published last first.
  Statement newest_first();
  /// As Catalog::stays_first().
  bool stays_first(std::string_view id, std::string_view channel, std::uint64_t sequence);
  /// The contents of an id, each once, the one that was published last first.
  std::vector<Artifact> contents(std::string_view id);
  /// As Catalog::contents_named().
  std::vector<Artifact> contents_named(std::string_view id_or_name);

 private:
  std::int64_t row(const Artifact& artifact);

  Database& m_db;
  Statement m_find = m_db.prepare("SELECT id FROM artifact WHERE digest = ?");
  Statement m_add =
      m_db.prepare("INSERT INTO artifact(digest, kind, name, version, size, document) VALUES (?, ?, ?, ?, ?, ?)");
  Statement m_set_facts = m_db.prepare("INSERT OR REPLACE INTO inspection VALUES (?, ?)");
  Statement m_add_file = m_db.prepare("INSERT OR IGNORE INTO artifact_file VALUES (?, ?, ?)");
};

}  // namespace liftlock
