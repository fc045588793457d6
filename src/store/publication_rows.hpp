// Inside of Catalog: the publications, with what each of them holds.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>
#include <vector>

#include "artifact/artifact.hpp"
#include "db/database.hpp"
#include "store/artifact_rows.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// Transactions are the caller's.
class PublicationRows {
 public:
  /// Both outlive the object.
  PublicationRows(Database& db, ArtifactRows& artifacts) : m_db(db), m_artifacts(artifacts) {}

  /// Is one of its artifacts not in the publication of its channel and sequence?
  bool brings_more(const Publication& publication);
  /// Takes the place of one of its channel and sequence, also of one that was retired. Artifacts that are in that one
  /// stay: a bundle may land in parts.
  void insert(const Publication& publication);
  /// These very bytes under its id go out of every publication, whatever the publications say of them besides.
  /// @throws Error{not_found} when none holds them
  void withdraw(const Artifact& artifact);
  /// Only where a publication says all of it in the same words: another may bring the same bytes in its place.
  /// @throws Error{not_found} when none does
  void withdraw_line(const Artifact& artifact);
  /// The publication whose row comes first of `ids`.
  std::optional<Publication> load_first(Statement& ids);

 private:
  Publication load(std::int64_t id);
  /// Rows of the artifacts in the publication of this channel and sequence.
  std::unordered_set<std::int64_t> members(const Publication& of);
  void withdraw_rows(const Artifact& artifact, const std::vector<std::int64_t>& rows);

  Database& m_db;
  ArtifactRows& m_artifacts;
};

}  // namespace liftlock
