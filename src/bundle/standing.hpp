// Whether what landed would still be believed: for the signatures of the bundle that brought it and the lists that they
// bind, or for what its import was believed for. The catalog alone vouches for nothing.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "bundle/import_record.hpp"
#include "store/blob_store.hpp"
#include "store/catalog.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// The newest publication that holds this very artifact.
std::optional<Publication> publication_of(const Catalog& catalog, const Artifact& artifact);

/// Of the publication's bundle.json, or of the record of its import.
/// @throws Error{store_invalid} when the catalog has that under another digest
Digest document_of(const Publication& publication);

/// Of a key that retired or expired: what it signed before may count.
bool has_ended(SignatureStatus status);

/// What the trust of today says of a bundle that landed.
struct LandedBundle {
  TrustRoot root;
  std::map<Role, unsigned> thresholds_then;  ///< of the newest root statement that it brought
  std::vector<JudgedSignature> signatures;
};
/// Its bundle.json, root statements and signatures are those that were kept at its ingest.
/// @throws Error{not_found, blob_corrupt} for what was kept and is lost, or rotted; Error{trust_missing}, and what
/// judge_chain() throws
LandedBundle judge_landed(const Publication& bundle, const BlobStore& store, const TrustStore& trust);
/// By today's rules; or, where the audit log has its ingest, by those that it landed under: a key that retired or
/// expired since counts, and so does the threshold of then. A revoked key never does.
/// @throws what require_thresholds() throws
void require_landed(const LandedBundle& judged, const Publication& bundle, const AuditLog& log);
/// @throws Error{store_invalid} unless the signed lists of the bundle have this very artifact
void require_listed(const Publication& bundle, const BlobStore& store, const Artifact& artifact);

/// The record of an import that holds this very artifact, as the audit log knows it.
/// @throws Error{store_invalid}, Error{key_revoked} when what vouched for it was the signature of a key that is revoked
void require_import(const Publication& import, const Artifact& artifact, const AuditLog& log, const TrustStore& trust);
/// The first key that signed what was imported and is revoked; nullptr when none is.
const TrustedKey* revoked_signer(const ImportRecord& record, const TrustRoot& root);

/// Why an artifact of the store may be used.
struct Believed {
  std::string publication;  ///< "CHANNEL/SEQUENCE"
  Digest document;          ///< document_of() it
  Belief belief = Belief::nobody;
};
/// @throws Error{store_invalid} for what the catalog alone says, Error{trust_rolled_back}; what the functions above
/// throw
Believed require_believed(const Artifact& artifact, const Catalog& catalog, const BlobStore& store, const AuditLog& log,
                          const TrustStore& trust);

/// The same for who asks again and again: each artifact is judged once, until the trust root changes. Safe on several
/// threads.
class Beliefs {
 public:
  Believed require(const Artifact& artifact, const fs::path& catalog_file, const BlobStore& store, const AuditLog& log,
                   const TrustStore& trust);

 private:
  struct Known {
    Digest root;
    Believed believed;
  };
  std::mutex m_mutex;
  std::map<Digest, Known> m_known;  ///< by the artifact, with all that is said of it
};

/// The signatures of a publication that are by a key which is revoked by now. Its bundle.json and signatures are those
/// that were kept at its ingest. @throws Error{not_found, blob_corrupt} when the store lost a signature
std::vector<JudgedSignature> revoked_signatures(const Publication& publication, const BlobStore& store,
                                                const TrustRoot& root, Timestamp when);

}  // namespace liftlock
