// The last step of an import: what it means for the artifacts that are here already, and its publication, which takes
// the place of what it replaces in one transaction of the catalog.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bundle/import_record.hpp"
#include "bundle/scan.hpp"
#include "intake/import.hpp"
#include "intake/staging.hpp"
#include "store/catalog.hpp"

namespace liftlock {

/// Is all of it here, believed as well as now, and nothing else by its names? Then what the weakest of it is believed
/// for; what a bundle brought counts as signed.
std::optional<Belief> present_as(const Catalog& catalog, const std::vector<Artifact>& artifacts);

/// What is here under the ids of these and goes out of use for them: other content where --replace demands it, and the
/// same content that was believed less. @param artifacts sorted by id
/// @throws Error{immutable} where other content is here and must not go
std::vector<Artifact> replaced_by(const Catalog& catalog, const std::vector<Artifact>& artifacts,
                                  const ImportRequest& request);

/// What is published.
struct ImportPublication {
  ImportRecord record;                                         ///< its digest names the publication
  std::vector<Artifact> artifacts;                             ///< sorted by id
  std::vector<std::string> facts;                              ///< as in Publication
  std::vector<Artifact> replaced;                              ///< go out of use with it
  std::vector<std::pair<std::string, std::string>> documents;  ///< kept with it: name and bytes; the first of a name
  std::optional<ScanReport> scan;
};

/// Puts all of it into the store and the catalog, with the entries of the audit log before and behind.
class Publishing {
 public:
  /// All outlive it. @param batch the pins' name
  Publishing(const Site& site, StagedBlobs& staged, Staging& files, Catalog& catalog, std::string batch);

  /// @return its number in the channel of imports
  std::uint64_t publish(const ImportPublication& import);
  /// Was what is staged handed to the store? Then nothing of it may be discarded.
  bool began() const { return m_began; }
  /// Of the record, once publish() made it.
  const std::optional<Digest>& digest() const { return m_digest; }

 private:
  std::vector<ArtifactFile> front_of(const ImportPublication& import, const std::string& text);
  void enter(const ImportPublication& import, std::uint64_t number, const std::string& text,
             std::vector<ArtifactFile> front);

  const Site& m_site;
  StagedBlobs& m_staged;
  Staging& m_files;
  Catalog& m_catalog;
  std::string m_batch;
  std::optional<Digest> m_digest;
  bool m_began = false;
};

}  // namespace liftlock
