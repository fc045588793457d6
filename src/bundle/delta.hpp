// Low side: what the receiver of a delta has already.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/digest.hpp"
#include "bundle/receipt.hpp"
#include "os/file.hpp"

namespace liftlock {

struct DeltaBase {
  std::string kind;  ///< "lock", "bundle", "receipt" or "request", as bundle.json names it
  Digest digest;     ///< of the document: liftlock.lock, bundle.json, receipt.json, request.json
  std::function<bool(const Digest&)> has;
};

/// All that these artifacts consist of is there: those of a lock, or of a bundle.
DeltaBase base_of_artifacts(std::string kind, const Digest& digest, const std::vector<Artifact>& artifacts);
/// What a receipt names is there; of a request, everything else is.
DeltaBase base_of_receipt(const CarriedReceipt& carried);

}  // namespace liftlock
