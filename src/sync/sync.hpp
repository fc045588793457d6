// One look of a production node at its peer: it takes what is new in its ring, through the pipeline of every ingest,
// and takes out of use what was there. Format and rules: docs/formats/sync.md.
#pragma once

#include <string>
#include <vector>

#include "base/reporter.hpp"
#include "bundle/ingest.hpp"
#include "site/site.hpp"
#include "sync/peer.hpp"

namespace liftlock {

struct SyncRequest {
  const SyncConfig& config;
  Peer peer;
  std::string actor;
  Inspect inspect;
  bool accept_expired = false;   ///< as in IngestRequest
  bool restore_retired = false;  ///< as in IngestRequest
  std::string reason;
};

struct SyncResult {
  std::vector<IngestResult> taken;
  std::vector<std::string> retired;    ///< "demo/5"
  std::vector<std::string> withdrawn;  ///< ids of artifacts
  std::vector<std::string> notes;
};

/// Killed at any point, or cut off, it leaves nothing visible that is not whole; the same call again goes on.
/// @throws Error of the first bundle that was refused, once all else was done; Error{busy} while another one runs;
///         as PeerConnection and parse_ring_document. What is refused is in the audit log by then.
SyncResult sync_once(const Site& site, const SyncRequest& request, Reporter& reporter);

}  // namespace liftlock
