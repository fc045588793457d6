// One bundle of a peer, as the ingest pipeline takes it.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "bundle/ingest.hpp"
#include "sync/peer.hpp"
#include "sync/sync_documents.hpp"

namespace liftlock {

class PeerBundle final : public RemoteBundle {
 public:
  /// Brings bundle.json, the trust statements and the signatures; what an earlier run brought is checked and kept.
  /// @param folder of all fronts; others that are left in it are removed
  /// @param peer must outlive the object
  /// @throws as PeerConnection, parse_publication_document, parse_bundle_info; Error{expect_mismatch}
  PeerBundle(const Peer& peer, unsigned connections, const RingDocument::Bundle& wanted, const fs::path& folder);

  const fs::path& front() const override { return m_front; }
  const std::string& channel() const override { return m_publication.channel; }
  std::uint64_t sequence() const override { return m_publication.sequence; }
  void bring_lists(const BundleInfo& info) override;
  bool has(const std::string& artifact_id) const override;
  void stage(const std::vector<FileEntry>& files, StagedBlobs& staged,
             const std::function<void(std::uint64_t)>& progress) override;

 private:
  void bring(const RelPath& path, const Digest& digest, std::uint64_t size);
  void bring_beside(std::string_view folder, std::uint64_t most);
  void bring_bundle_json();
  void bring_trust(const BundleInfo& info);

  const Peer& m_peer;
  unsigned m_connections;
  PeerConnection m_connection;
  PublicationDocument m_publication;
  fs::path m_front;
};

/// @throws as PeerConnection, parse_publication_document; Error{expect_mismatch} when it is of another bundle
PublicationDocument publication_of(PeerConnection& connection, const RingDocument::Bundle& wanted);

}  // namespace liftlock
