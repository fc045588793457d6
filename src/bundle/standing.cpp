#include "bundle/standing.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "bundle/manifest.hpp"
#include "bundle/signatures.hpp"
#include "crypto/hash.hpp"

namespace liftlock {

std::vector<JudgedSignature> revoked_signatures(const Publication& publication, const BlobStore& store,
                                                const TrustRoot& root, Timestamp when) {
  std::vector<SignatureFile> signatures;
  for (const auto& file : publication.other_files) {
    if (!is_signature_path(file.path)) continue;
    auto bytes = read_all(store.open(file.digest).get(), bundle_limits::k_signature, file.path.text());
    if (sha256(bytes) != file.digest) {
      fail(ErrorCode::blob_corrupt, "the store's own copy of '{}' has rotted", file.path.text());
    }
    signatures.push_back({std::string(file.path.filename()), std::move(bytes)});
  }
  auto judged = judge(publication.bundle_json, signatures, root, when);
  std::erase_if(judged, [](const auto& one) { return one.status != SignatureStatus::revoked_key; });
  return judged;
}

}  // namespace liftlock
