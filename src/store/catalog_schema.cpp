#include "store/catalog_schema.hpp"

namespace liftlock {
namespace {

constexpr const char* k_migrations[] = {
    R"(
CREATE TABLE artifact(
  id       INTEGER PRIMARY KEY,
  digest   BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
  kind     TEXT NOT NULL,
  name     TEXT NOT NULL,
  version  TEXT NOT NULL,
  size     INTEGER NOT NULL,
  document TEXT NOT NULL,
  identity TEXT NOT NULL GENERATED ALWAYS AS (kind || ':' || name || '@' || version) VIRTUAL) STRICT;
CREATE INDEX artifact_by_name ON artifact(name);
CREATE INDEX artifact_by_identity ON artifact(identity);
CREATE TABLE artifact_file(
  artifact INTEGER NOT NULL REFERENCES artifact(id) ON DELETE CASCADE,
  digest   BLOB NOT NULL CHECK (length(digest) = 32),
  size     INTEGER NOT NULL,
  PRIMARY KEY (artifact, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX artifact_file_by_digest ON artifact_file(digest);

CREATE TABLE publication(
  id            INTEGER PRIMARY KEY,
  channel       TEXT NOT NULL,
  sequence      INTEGER NOT NULL,
  bundle_digest BLOB NOT NULL CHECK (length(bundle_digest) = 32),
  bundle_json   TEXT NOT NULL,
  published_at  INTEGER NOT NULL,
  retired       INTEGER NOT NULL DEFAULT 0,
  UNIQUE (channel, sequence)) STRICT;
CREATE TABLE publication_artifact(
  publication INTEGER NOT NULL REFERENCES publication(id) ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  artifact    INTEGER NOT NULL REFERENCES artifact(id),
  PRIMARY KEY (publication, position)) STRICT, WITHOUT ROWID;
CREATE INDEX publication_artifact_by_artifact ON publication_artifact(artifact);
CREATE TABLE publication_file(
  publication INTEGER NOT NULL REFERENCES publication(id) ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  path        TEXT NOT NULL,
  digest      BLOB NOT NULL CHECK (length(digest) = 32),
  size        INTEGER NOT NULL,
  document    TEXT NOT NULL,
  PRIMARY KEY (publication, position)) STRICT, WITHOUT ROWID;
CREATE INDEX publication_file_by_digest ON publication_file(digest);

CREATE TABLE artifact_set(
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE set_artifact(
  artifact_set INTEGER NOT NULL REFERENCES artifact_set(id) ON DELETE CASCADE,
  artifact     INTEGER NOT NULL REFERENCES artifact(id),
  PRIMARY KEY (artifact_set, artifact)) STRICT, WITHOUT ROWID;
CREATE INDEX set_artifact_by_artifact ON set_artifact(artifact);

CREATE TABLE pin(
  name   TEXT NOT NULL,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  since  INTEGER NOT NULL,
  PRIMARY KEY (name, digest)) STRICT, WITHOUT ROWID;
CREATE INDEX pin_by_digest ON pin(digest);

CREATE TABLE fact(
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE generation(
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  value    INTEGER NOT NULL) STRICT;
INSERT INTO generation VALUES (1, 1);
)",
    R"(
CREATE TABLE inspection(
  artifact INTEGER PRIMARY KEY REFERENCES artifact(id) ON DELETE CASCADE,
  facts    TEXT NOT NULL) STRICT;
)",
    R"(
ALTER TABLE publication ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
)",
    R"(
CREATE TABLE passed(
  key   BLOB PRIMARY KEY CHECK (length(key) = 32),
  facts TEXT NOT NULL) STRICT, WITHOUT ROWID;
)",
};

}  // namespace

std::span<const char* const> catalog_migrations() {
  return k_migrations;
}

}  // namespace liftlock
