#include "server/sync_pages.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/manifest.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/route.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_rings = "rings/";
constexpr std::string_view k_publications = "publications/";
constexpr std::string_view k_blobs = "blobs/";
constexpr std::string_view k_json = ".json";

/// A node that is cut off goes on by the tag.
std::string tag_of(std::string_view text) {
  return "\"" + sha256(text).hex() + "\"";
}

}  // namespace

void SyncPages::add(const Publication& publication) {
  PublicationDocument document{.channel = publication.channel,
                               .sequence = publication.sequence,
                               .digest = publication.bundle_digest,
                               .files = {},
                               .artifacts = {}};
  for (const auto& file : publication.other_files) {
    add_blob(file.digest, file.size);
    if (!is_content_path(file.path)) document.files.push_back({file.path, file.size, file.digest});
  }
  for (const auto& artifact : publication.artifacts) {
    document.artifacts.push_back(artifact.id());
    for (const auto& file : artifact.files) add_blob(file.digest, file.size);
  }
  std::sort(document.files.begin(), document.files.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  std::sort(document.artifacts.begin(), document.artifacts.end());
  auto text = std::make_shared<const std::string>(write_publication_document(document));
  auto tag = tag_of(*text);
  m_publications.insert_or_assign(fmt::format("{}/{}.json", publication.channel, publication.sequence),
                                  Page{std::move(text), std::move(tag)});
}

void SyncPages::seal(PublishedBundles published) {
  m_published = std::move(published);
  // Retired since it was listed: neither its page nor its bundle.
  std::erase_if(m_published.in_use, [&](const auto& bundle) {
    return !m_publications.contains(fmt::format("{}/{}.json", bundle.channel, bundle.sequence));
  });
  std::sort(m_blobs.begin(), m_blobs.end());
  m_blobs.erase(std::unique(m_blobs.begin(), m_blobs.end()), m_blobs.end());
}

HttpResponse SyncPages::blob(const BlobStore& blobs, std::string_view hex) const {
  const auto digest = Digest::try_parse("sha256:" + std::string(hex));
  const auto before = [](const auto& entry, const Digest& wanted) { return entry.first < wanted; };
  const auto found = digest ? std::lower_bound(m_blobs.begin(), m_blobs.end(), *digest, before) : m_blobs.end();
  if (found == m_blobs.end() || found->first != *digest) {
    fail(ErrorCode::not_found, "no bundle in use holds '{}'", printable(hex.substr(0, 64)));
  }
  const ArtifactFile file{RelPath::parse("f"), found->second, found->first, {}, {}};
  return blob_response(blobs, file, "application/octet-stream");
}

HttpResponse SyncPages::answer(const BlobStore& blobs, const Rings& rings, std::string_view path) const {
  const auto page = [](auto text, std::string tag) {
    HttpResponse response;
    response.body = std::move(text);
    return response.set("Content-Type", "application/json")
        .set("ETag", std::move(tag))
        .set("Cache-Control", "no-cache");
  };
  if (path.starts_with(k_blobs)) return blob(blobs, path.substr(k_blobs.size()));
  if (path.starts_with(k_publications)) {
    const auto found = m_publications.find(path.substr(k_publications.size()));
    if (found != m_publications.end()) return page(found->second.text, found->second.tag);
  }
  if (path.starts_with(k_rings) && path.ends_with(k_json) && path.size() > k_rings.size() + k_json.size()) {
    const auto ring = path.substr(k_rings.size(), path.size() - k_rings.size() - k_json.size());
    auto text = write_ring_document(ring_document(std::string(ring), rings, m_published));
    auto tag = tag_of(text);
    return page(std::move(text), std::move(tag));
  }
  fail(ErrorCode::not_found, "nothing is at /sync/{}", printable(path));
}

}  // namespace liftlock
