// What the route at /v2/ knows: repositories by name, and in each its tags, manifests, blobs and referrers.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ecosystem/oci/image.hpp"
#include "ecosystem/route.hpp"

namespace liftlock::oci {

struct ServedManifest {
  const ArtifactFile* file = nullptr;
  std::string media_type;
};

struct Repository {
  std::map<std::string, Digest> tags;
  std::map<Digest, ServedManifest> manifests;
  std::map<Digest, const ArtifactFile*> blobs;  ///< all files, manifests too
  /// By the manifest they speak of; descriptors as the referrers API answers them, by digest.
  std::map<Digest, std::map<Digest, Descriptor>> referrers;
};

/// Immutable once built; points into the view it was built from.
class MirrorIndex {
 public:
  MirrorIndex(const MirrorView& view, const BlobStore& blobs);

  /// nullptr when there is none. @param ns the host that a mirror is asked for (containerd's ?ns=); may be empty
  const Repository* find(std::string_view name, std::string_view ns) const;
  const std::map<std::string, Repository, std::less<>>& repositories() const { return m_repositories; }
  /// HOST[:PORT] of the registries that images come from.
  const std::set<std::string>& hosts() const { return m_hosts; }

 private:
  void add(const Artifact& artifact, const BlobStore& blobs);
  std::map<std::string, Repository, std::less<>> m_repositories;
  std::set<std::string> m_hosts;
};

}  // namespace liftlock::oci
