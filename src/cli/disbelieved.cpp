#include "cli/disbelieved.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/import_record.hpp"
#include "bundle/standing.hpp"

namespace liftlock {
namespace {

/// Empty when the import would still be believed, or is none.
std::string why_import(const Publication& publication, const TrustRoot& root) {
  if (publication.channel != k_import_channel) return {};
  const auto record = parse_import_record(publication.bundle_json);
  const auto* key = revoked_signer(record, root);
  if (key == nullptr) return {};
  return fmt::format("signed by {}, whose key is revoked: {}", printable(key->owner), printable(key->revoked_reason));
}

std::string why(const Publication& publication, const BlobStore& blobs, const TrustRoot& root) {
  (void)document_of(publication);  // of another document nobody signed anything
  if (auto text = why_import(publication, root); !text.empty()) return text;
  const auto signatures = revoked_signatures(publication, blobs, root, now());
  if (signatures.empty()) return {};
  return fmt::format("signed by {}: {}", printable(signatures[0].owner), printable(signatures[0].message));
}

}  // namespace

Disbelieved disbelieved(const Catalog& catalog, const BlobStore& blobs, const TrustRoot& root) {
  Disbelieved out;
  for (const auto& summary : catalog.publications()) {
    try {
      const auto publication = catalog.publication(summary.channel, summary.sequence);
      if (!publication) continue;
      if (auto text = why(*publication, blobs, root); !text.empty()) out.revoked.push_back({summary, std::move(text)});
    } catch (const Error& error) {
      out.unjudged.push_back({summary, error.message()});
    }
  }
  return out;
}

}  // namespace liftlock
