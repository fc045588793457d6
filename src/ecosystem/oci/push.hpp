// High side: images of the store into a registry that the site runs. Talks to the one address that it was given;
// follows no redirects. The registry is not trusted: it learns nothing but the images. Protocol:
// opencontainers/distribution-spec 1.1 (push, mount); tokens: the distribution project's token authentication, where
// the token server is the registry itself.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ecosystem/oci/image.hpp"
#include "net/upstream.hpp"
#include "store/blob_store.hpp"

namespace liftlock::oci {

struct RegistrySettings {
  RemoteServer server;
  std::string table;                           ///< of config.toml, for errors: "[registry.site]"
  std::string prefix;                          ///< in front of each repository's name: "airgap"; may be empty
  std::string login;                           ///< "USER:PASSWORD"; empty: none
  std::chrono::milliseconds patience{60'000};  ///< without a byte moving, either way
};

/// What the registry lacks of one image.
struct ImagePlan {
  struct Blob {
    Digest digest;
    std::uint64_t size = 0;
    std::string bytes = {};  ///< where it was made for this; else the store has it
  };
  struct Document {
    Digest digest;
    std::string media_type;
    std::string bytes;
    std::vector<std::string> references;  ///< under which it is put: tags, or its digest
  };
  /// Of an image of several platforms of which one crossed: that one, for a registry that refuses the index.
  struct StandIn {
    Digest index;
    Document manifest;      ///< its references are the index's tags
    bool is_there = false;  ///< under such a tag: an earlier push put it there, and the index counts as known
  };
  std::string repository;  ///< "airgap/hello"
  std::string reference;   ///< ":1", "@sha256:…": what people call it there
  std::vector<Blob> blobs;
  std::vector<Document> documents;  ///< what others refer to stands before them
  std::size_t known = 0;            ///< blobs and documents that it has
  bool sparse = false;              ///< an index of it names platforms that did not cross
  std::optional<StandIn> stand_in;

  bool is_done() const { return blobs.empty() && documents.empty(); }
  std::uint64_t bytes() const;
};

/// For one thread; its connection is kept between requests.
class RegistryPush {
 public:
  RegistryPush(RegistrySettings target, const BlobStore& store);
  ~RegistryPush();
  RegistryPush(const RegistryPush&) = delete;
  RegistryPush& operator=(const RegistryPush&) = delete;

  /// Asks what is there.
  /// @throws Error{network, tls_invalid, unauthorized, http_status}; Error{not_found} when the store lacks a file
  ImagePlan plan(const Artifact& image);
  /// The same of what was made for the registry: blobs and one manifest, put under this tag of PREFIX/NAME.
  struct Made {
    std::string name;
    std::string tag;
    std::string media_type;
    std::string manifest;
    std::vector<ImagePlan::Blob> blobs;
  };
  ImagePlan plan(const Made& made);
  /// The manifest that PREFIX/NAME has under this tag, of k_max_manifest_bytes at most; nullopt when it has none.
  /// @throws as plan; Error{limit_exceeded}
  std::optional<std::string> manifest(const std::string& name, const std::string& tag, std::string_view media_type);
  /// Sends it: blobs, then documents; a tag moves when all that it means is there. What another repository got from
  /// this object is mounted instead of sent. The same call again goes on with what is still lacking. A sparse index
  /// that the registry refuses is left out, and the stand-in is put under its tags.
  /// @param progress is told of bytes as they are done
  /// @return does the stand-in stand there instead of the index?
  /// @throws as plan
  [[nodiscard]] bool push(const ImagePlan& plan, const std::function<void(std::uint64_t)>& progress);

 private:
  class Wire;
  std::string repository(const std::string& name) const;
  /// Fills in what is lacking of these.
  void look(ImagePlan& plan, std::vector<ImagePlan::Blob> blobs, std::vector<ImagePlan::Document> documents);
  UnixResponse put(const std::string& repository, const ImagePlan::Document& document, const std::string& reference);
  void put_stand_in(const ImagePlan& plan);
  void send_blob(const std::string& repository, const ImagePlan::Blob& blob,
                 const std::function<void(std::uint64_t)>& progress);

  RegistrySettings m_target;
  const BlobStore& m_store;
  std::unique_ptr<Wire> m_wire;
  std::map<Digest, std::string> m_held;  ///< by which repository there
};

}  // namespace liftlock::oci
