// Inside of Catalog: the publications, with what each of them holds.
#pragma once

#include <cstdint>
#include <optional>

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

  /// Takes the place of one of its channel and sequence, also of one that was retired.
  void insert(const Publication& publication);
  /// Out of every publication. @throws Error{not_found} when none holds it
  void withdraw(const Artifact& artifact);
  /// The publication whose row comes first of `ids`.
  std::optional<Publication> load_first(Statement& ids);

 private:
  Publication load(std::int64_t id);

  Database& m_db;
  ArtifactRows& m_artifacts;
};

}  // namespace liftlock
