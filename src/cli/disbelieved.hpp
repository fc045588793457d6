// What would no longer be believed, because a key that signed it is revoked.
#pragma once

#include <string>
#include <vector>

#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct MarkedPublication {
  PublicationSummary publication;
  std::string why;  ///< it was picked; for people: "signed by Ada: the key is revoked since …"
};

struct Disbelieved {
  /// In use, and signed by a revoked key of the root: bundles, and imports of packages whose signature was what made
  /// them believed.
  std::vector<MarkedPublication> revoked;
  /// What cannot be judged: a signature that rotted, say, or a document that was changed in the catalog. It hides none
  /// of the others.
  std::vector<MarkedPublication> unjudged;
};

Disbelieved disbelieved(const Catalog& catalog, const BlobStore& blobs, const TrustRoot& root);

}  // namespace liftlock
