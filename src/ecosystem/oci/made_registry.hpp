// High side: repositories below /v2/ whose manifests are made here from artifacts of other kinds, each when somebody
// first asks for it. What is asked and answered is the pull half of the OCI distribution specification 1.1.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "ecosystem/route.hpp"

namespace liftlock::oci {

struct MadeManifest {
  std::string bytes;
  std::string media_type;
  std::map<Digest, std::string> made;     ///< blobs that the store does not hold
  std::map<Digest, ArtifactFile> stored;  ///< blobs of the store
};

/// Filled while it is built; then handle() may be called from several threads.
class MadeRegistry {
 public:
  /// Equal calls give equal bytes. What it throws is told to the client, and kept as what it made is, unless another
  /// call could do better (io_error, disk_full, not_found, internal).
  using Make = std::function<MadeManifest()>;

  /// @param prefix "/v2/NAMESPACE/"; must outlive the object
  MadeRegistry(const BlobStore& blobs, std::string_view prefix) : m_blobs(blobs), m_prefix(prefix) {}

  /// A tag that is there already is moved: the newest comes last.
  void add(const std::string& name, const std::vector<std::string>& tags, Make make);
  /// The first name and a tag of it, as an example; "NAME:TAG" when there is none.
  std::string example() const;

  HttpResponse handle(const HttpRequest& request) const;

 private:
  struct Source {
    Make make;
    mutable std::mutex mutex;
    mutable std::shared_ptr<const MadeManifest> manifest;
    mutable std::optional<Error> failure;
  };
  using Tags = std::map<std::string, std::shared_ptr<const Source>, std::less<>>;

  static std::shared_ptr<const MadeManifest> made(const Source& source);
  HttpResponse manifest(const Tags& tags, std::string_view name, std::string_view reference) const;
  HttpResponse blob(const Tags& tags, std::string_view reference, std::string_view raw_path) const;

  const BlobStore& m_blobs;
  std::string_view m_prefix;
  std::map<std::string, Tags, std::less<>> m_names;
};

}  // namespace liftlock::oci
