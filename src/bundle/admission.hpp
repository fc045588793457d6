// Inside of bundle: the first half of an ingest. Whether a bundle may come in at all: by what was announced, who signed
// it, its place in its channel, its age, and what people here said of it before. Reads bundle.json, the trust
// statements and the signatures; neither a list nor content.
#pragma once

#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/channel.hpp"
#include "bundle/ingest.hpp"
#include "site/site.hpp"
#include "trust/trust.hpp"

namespace liftlock {

struct Admission {
  Arrival arrival = Arrival::next;
  /// Read once: what was judged is what is kept, whatever the medium answers next time.
  std::vector<std::string> statements;
  std::vector<SignatureFile> signatures;
  std::vector<JudgedSignature> judged;
  TrustRoot root;                      ///< by which the bundle was judged
  std::vector<std::string> overrides;  ///< rules that were overridden, each with the reason: "allow-rollback: WHY"
};

/// @throws Error{expect_mismatch, expect_required, trust_missing, unsigned_document, replayed, forked, bundle_expired,
/// clock_behind, reason_required}, and what judge_chain() throws
Admission admit(const Site& site, const IngestRequest& request, const BundleReader& bundle, const AuditLog& log);

}  // namespace liftlock
