// High side: how an ecosystem's artifacts are served in the ecosystem's own protocol.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/clock.hpp"
#include "net/http.hpp"
#include "store/blob_store.hpp"

namespace liftlock {

struct MirroredArtifact {
  Artifact artifact;
  std::string channel;
  std::uint64_t sequence = 0;
  Timestamp published_at;
};

/// What is published, at one moment. Immutable: a change of the catalog makes a new view, and new routes.
struct MirrorView {
  std::vector<MirroredArtifact> artifacts;  ///< sorted by id, then by channel and sequence, newest last
};

struct RouteEnvironment {
  const BlobStore& blobs;
  /// A GnuPG clear-signed document (RFC 9580 §7) by the mirror's own key.
  std::function<std::string(std::string_view document)> clearsign;
  /// The mirror's public key, binary and armored.
  std::string public_key;
  std::string public_key_armored;
  /// "https" or "http": of links that must be absolute, where no proxy in front says otherwise.
  std::string_view scheme = "http";
  /// What the inspector learnt of a published artifact when it came in; an empty object where nothing is known. For the
  /// thread that builds a route, and while it does.
  std::function<Json(const Artifact&)> inspection = {};
  /// What an inspector says of it now, in a cell: for what came in before its inspector said enough. Any thread.
  /// @throws Error of the first finding
  std::function<Json(const Artifact&)> inspect = {};
  /// The mirror's other key, RSA, for clients that know nothing newer (rpm of RHEL 8); made when it is first wanted.
  std::function<std::string()> rsa_public_key_armored = {};
  /// An armored detached signature (RFC 9580 §10.4) by it.
  std::function<std::string(std::string_view document)> rsa_sign = {};
  /// Where a route may keep what it makes from blobs, in a folder of its own; what is gone is made again. Empty:
  /// nowhere, and nothing is served.
  std::filesystem::path cache_folder = {};
  /// What the operator should know of a route that was made, but not wholly. Empty: nobody listens, and a route that
  /// cannot be made is an error; else the others are served without it.
  std::function<void(const std::string& text)> warn = {};
};

/// One ecosystem's answers over one view. Immutable after construction; handle() is called from several threads.
class Route {
 public:
  virtual ~Route() = default;
  /// What it answers for: "/simple/", "/v2/", "/debian/" …; unique among routes.
  virtual std::string_view prefix() const = 0;
  /// For the index page: title and one line for people.
  virtual std::string_view title() const = 0;
  /// The programs that client_configuration() is for, as people call them: "pip".
  virtual std::vector<std::string> clients() const = 0;
  /// Text for `render clients`; base_url has no trailing slash ("https://mirror.example:8443").
  virtual std::string client_configuration(std::string_view base_url) const = 0;
  /// A text with an ETag and without audit_subject is kept and sent again: it depends on path, query and the headers
  /// that its Vary names, and on nothing else of the request.
  virtual HttpResponse handle(const HttpRequest& request) const = 0;
  /// How many bytes of body a request with this method and decoded path, which is below prefix(), may have: of
  /// protocols whose questions are too long for a GET. 0: it is for GET and HEAD alone. handle() gets such a body as it
  /// was sent, whatever its Content-Encoding.
  virtual std::uint64_t max_body(std::string_view method, std::string_view path) const;
};

inline std::uint64_t Route::max_body(std::string_view, std::string_view) const {
  return 0;
}

using MakeRoute = std::unique_ptr<const Route> (*)(std::shared_ptr<const MirrorView>, const RouteEnvironment&);

/// A blob as an answer: Content-Type, strong ETag (the digest), immutable caching. @throws Error{not_found}
HttpResponse blob_response(const BlobStore& blobs, const ArtifactFile& file, std::string content_type);

}  // namespace liftlock
