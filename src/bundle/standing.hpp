// Whether what landed would still be believed: a key that was revoked since counts for nothing, whenever it signed.
#pragma once

#include <string>
#include <vector>

#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// The signatures of a publication that are by a key which is revoked by now. Its bundle.json and signatures are those
/// that were kept at its ingest. @throws Error{not_found, blob_corrupt} when the store lost a signature
std::vector<JudgedSignature> revoked_signatures(const Publication& publication, const BlobStore& store,
                                                const TrustRoot& root, Timestamp when);

}  // namespace liftlock
