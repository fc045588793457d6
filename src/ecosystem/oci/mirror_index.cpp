#include "ecosystem/oci/mirror_index.hpp"

#include <algorithm>
#include <deque>

#include "base/error.hpp"
#include "base/text.hpp"
#include "os/file.hpp"

namespace liftlock::oci {
namespace {

/// Reads the manifests of one artifact and files what they say.
class Filing {
 public:
  Filing(const Artifact& artifact, const BlobStore& blobs, Repository& repository)
      : m_blobs(blobs), m_repository(repository) {
    for (const auto& file : artifact.files) m_files.emplace(file.digest, &file);
    m_repository.blobs.insert(m_files.begin(), m_files.end());
  }

  void file(const Descriptor& root) {
    std::deque<Descriptor> todo{root};
    while (!todo.empty()) {
      const auto descriptor = std::move(todo.front());
      todo.pop_front();
      const auto found = m_files.find(descriptor.digest);
      if (found == m_files.end() || m_repository.manifests.contains(descriptor.digest)) continue;
      const auto parsed = read(descriptor);
      if (!parsed) continue;
      m_repository.manifests.emplace(descriptor.digest, ServedManifest{found->second, media_type_of(*parsed)});
      if (const auto& subject = subject_of(*parsed)) {
        m_repository.referrers[subject->digest].insert_or_assign(descriptor.digest,
                                                                 Descriptor{.media_type = media_type_of(*parsed),
                                                                            .digest = descriptor.digest,
                                                                            .size = found->second->size,
                                                                            .platform = std::nullopt,
                                                                            .artifact_type = artifact_type_of(*parsed),
                                                                            .annotations = annotations_of(*parsed)});
      }
      if (const auto* index = std::get_if<Index>(&*parsed)) {
        todo.insert(todo.end(), index->manifests.begin(), index->manifests.end());
      }
    }
  }

 private:
  /// nullopt when it was withheld or does not parse: the rest of the mirror must be served all the same.
  std::optional<AnyManifest> read(const Descriptor& descriptor) const {
    try {
      const auto file = m_blobs.open(descriptor.digest);
      return parse_manifest(read_all(file.get(), k_max_manifest_bytes, descriptor.digest.text()),
                            descriptor.media_type);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  const BlobStore& m_blobs;
  Repository& m_repository;
  std::map<Digest, const ArtifactFile*> m_files;
};

}  // namespace

MirrorIndex::MirrorIndex(const MirrorView& view, const BlobStore& blobs) {
  for (const auto& mirrored : view.artifacts) {
    if (mirrored.artifact.kind == k_image_kind) add(mirrored.artifact, blobs);
  }
}

void MirrorIndex::add(const Artifact& artifact, const BlobStore& blobs) {
  std::optional<ImageFacts> facts;
  try {
    facts = parse_image_facts(artifact.facts);
  } catch (const Error&) {
    return;  // the inspector refused such facts at ingest; an old catalog must not stop the mirror
  }
  std::vector<std::string> names{artifact.name};
  if (const auto upstream = upstream_of(facts->ref)) {
    m_hosts.insert(upstream->host);
    const auto host = host_component(upstream->host);
    names.push_back(host + "/" + artifact.name);
    if (artifact.name != upstream->repository) names.push_back(host + "/" + upstream->repository);
  }
  for (const auto& name : names) {
    auto& repository = m_repositories[name];
    Filing filing(artifact, blobs, repository);
    filing.file(facts->manifest);
    if (!Digest::try_parse(artifact.version))
      repository.tags.insert_or_assign(artifact.version, facts->manifest.digest);
    for (const auto& referrer : facts->referrers) {
      filing.file(referrer.manifest);
      if (!referrer.tag.empty()) repository.tags.insert_or_assign(referrer.tag, referrer.manifest.digest);
    }
  }
}

const Repository* MirrorIndex::find(std::string_view name, std::string_view ns) const {
  if (!ns.empty()) {
    const auto full = m_repositories.find(host_component(ns) + "/" + std::string(name));
    if (full != m_repositories.end()) return &full->second;
  }
  const auto found = m_repositories.find(name);
  return found == m_repositories.end() ? nullptr : &found->second;
}

}  // namespace liftlock::oci
