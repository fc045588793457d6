#include "sync/peer_bundle.hpp"

#include <fcntl.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "bundle/signatures.hpp"
#include "crypto/hash.hpp"
#include "os/parallel.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_withheld_bytes = 256u << 20;  ///< of withheld.json, as withheld.cpp has it
constexpr std::string_view k_trust_folder = "manifest/trust";

/// Connections that wait for the next file; each is one thread's at a time.
class Connections {
 public:
  explicit Connections(const Peer& peer) : m_peer(peer) {}
  std::unique_ptr<PeerConnection> take() {
    const std::lock_guard lock(m_mutex);
    if (m_idle.empty()) return std::make_unique<PeerConnection>(m_peer);
    auto connection = std::move(m_idle.back());
    m_idle.pop_back();
    return connection;
  }
  void give(std::unique_ptr<PeerConnection> connection) {
    const std::lock_guard lock(m_mutex);
    m_idle.push_back(std::move(connection));
  }

 private:
  const Peer& m_peer;
  std::mutex m_mutex;
  std::vector<std::unique_ptr<PeerConnection>> m_idle;
};

fs::path front_of(const fs::path& folder, const Digest& digest) {
  const auto name = digest.hex().substr(0, 16);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().filename() != name) remove_tree(entry.path());
  }
  auto front = folder / name;
  // What is beside the bundle may be another today.
  remove_tree(front / "signatures");
  remove_tree(front / k_withheld_folder);
  make_folders(front);
  return front;
}

}  // namespace

PublicationDocument publication_of(PeerConnection& connection, const RingDocument::Bundle& wanted) {
  auto out = parse_publication_document(connection.document(
      fmt::format("publications/{}/{}.json", wanted.channel, wanted.sequence), sync_limits::k_publication_document));
  if (out.channel != wanted.channel || out.sequence != wanted.sequence || out.digest != wanted.digest) {
    throw Error(ErrorCode::expect_mismatch,
                fmt::format("the peer's ring names {}/{} as {}, and its publication is {}/{}, {}", wanted.channel,
                            wanted.sequence, wanted.digest.text(), out.channel, out.sequence, out.digest.text()),
                "stop: the peer mixes its bundles up, or lies");
  }
  return out;
}

PeerBundle::PeerBundle(const Peer& peer, unsigned connections, const RingDocument::Bundle& wanted,
                       const fs::path& folder)
    : m_peer(peer),
      m_connections(connections),
      m_connection(peer),
      m_publication(publication_of(m_connection, wanted)),
      m_front(front_of(folder, wanted.digest)) {
  bring_bundle_json();
  bring_trust(parse_bundle_info(read_file(m_front / k_bundle_json_path, bundle_limits::k_bundle_json)));
  bring_beside("", bundle_limits::k_signatures);
}

void PeerBundle::bring(const RelPath& path, const Digest& digest, std::uint64_t size) {
  const auto file = m_front / path.text();
  make_folders(file.parent_path());
  const auto part = open_file(file, O_RDWR | O_CREAT | O_NOFOLLOW, 0640);
  with_context(fmt::format("of '{}'", path.text()), [&] { m_connection.blob(digest, size, part.get(), {}); });
}

void PeerBundle::bring_bundle_json() {
  const auto path = RelPath::parse(k_bundle_json_path);
  const auto& files = m_publication.files;
  const auto found = std::find_if(files.begin(), files.end(), [&](const auto& file) { return file.path == path; });
  if (found == files.end() || found->digest != m_publication.digest) {
    fail(ErrorCode::missing_file, "the peer does not name bundle.json of {}/{}", m_publication.channel,
         m_publication.sequence);
  }
  if (found->size > bundle_limits::k_bundle_json) {
    fail(ErrorCode::limit_exceeded, "bundle.json of {}/{} has {} bytes", m_publication.channel, m_publication.sequence,
         found->size);
  }
  bring(path, found->digest, found->size);
}

void PeerBundle::bring_trust(const BundleInfo& info) {
  std::uint64_t total = 0;
  for (const auto& [path, bound] : info.lists) {
    if (!path.is_under(k_trust_folder)) continue;
    total += bound.size;
    if (bound.size > bundle_limits::k_trust_statement || total > bundle_limits::k_trust_chain) {
      fail(ErrorCode::limit_exceeded, "the trust statements are too large");
    }
    bring(path, bound.digest, bound.size);
  }
}

/// The signatures in FOLDER/signatures/; at the top without a folder.
void PeerBundle::bring_beside(std::string_view folder, std::uint64_t most) {
  for (const auto& file : m_publication.files) {
    if (!folder.empty() && !file.path.is_under(folder)) continue;
    const auto below = folder.empty() ? file.path : RelPath::parse(file.path.text().substr(folder.size() + 1));
    if (!is_signature_path(below)) continue;
    if (most-- == 0 || file.size > bundle_limits::k_signature) {
      fail(ErrorCode::limit_exceeded, "'{}': too many or too large signatures", file.path.text());
    }
    bring(file.path, file.digest, file.size);
  }
}

void PeerBundle::bring_lists(const BundleInfo& info) {
  for (const auto& [path, bound] : info.lists) {
    if (bound.size > bundle_limits::k_list) fail(ErrorCode::limit_exceeded, "'{}' is too large", path.text());
    bring(path, bound.digest, bound.size);
  }
  for (const auto& file : m_publication.files) {
    if (file.path.text() != k_withheld_path) continue;
    if (file.size > k_withheld_bytes) fail(ErrorCode::limit_exceeded, "'{}' is too large", k_withheld_path);
    bring(file.path, file.digest, file.size);
    bring_beside(k_withheld_folder, bundle_limits::k_signatures);
  }
}

bool PeerBundle::has(const std::string& artifact_id) const {
  return std::binary_search(m_publication.artifacts.begin(), m_publication.artifacts.end(), artifact_id);
}

void PeerBundle::stage(const std::vector<FileEntry>& files, StagedBlobs& staged,
                       const std::function<void(std::uint64_t)>& progress) {
  std::vector<const FileEntry*> order;
  for (const auto& file : files) order.push_back(&file);
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->size > b->size; });
  Connections connections(m_peer);
  const auto fetch = [&](std::size_t i) {
    const auto& file = *order[i];
    auto connection = connections.take();
    const auto part = staged.create(file.digest, StagedBlobs::Open::append);
    with_context(fmt::format("of '{}'", file.path.text()),
                 [&] { connection->blob(file.digest, file.size, part.get(), progress); });
    staged.seal(file.digest, file.digest);
    connections.give(std::move(connection));
  };
  parallel_for(order.size(), fetch, m_connections);
}

}  // namespace liftlock
