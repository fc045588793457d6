// The ingest node's rings: which bundles a person promoted to which production nodes. Format: docs/formats/sync.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/digest.hpp"
#include "os/file.hpp"
#include "store/catalog.hpp"
#include "sync/sync_documents.hpp"

namespace liftlock {

struct Promotion {
  std::string channel;
  std::uint64_t sequence = 0;
  Digest digest;  ///< of its bundle.json
  Timestamp since;
  std::string actor;
};

/// The file rings.json of an installation. Several processes may use it; who reads needs no lock.
class Rings {
 public:
  explicit Rings(fs::path file) : m_file(std::move(file)) {}

  /// By ring, each sorted by channel and sequence. Empty without the file.
  /// @throws Error{json_invalid, schema_violation, too_new}
  std::map<std::string, std::vector<Promotion>> all() const;
  /// Once more is no change. The caller announced it in the audit log.
  void promote(const std::string& ring, const Promotion& promotion);

 private:
  fs::path m_file;
};

/// What is in use and was retired, as the catalog has it.
struct PublishedBundles {
  std::vector<RingDocument::Bundle> in_use, retired;
};
PublishedBundles published_bundles(const Catalog& catalog);

/// What nodes of the ring may take. @throws Error{not_found} for a ring that nobody promoted anything to
RingDocument ring_document(const std::string& ring, const Rings& rings, const PublishedBundles& published);

/// What the nodes of promoted rings run: of each channel the highest that is in use. By "channel/sequence", with the
/// rings.
std::map<std::string, std::vector<std::string>> run_by_rings(const Rings& rings, const PublishedBundles& published);

}  // namespace liftlock
