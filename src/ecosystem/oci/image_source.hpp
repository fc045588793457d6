// Where an image is taken from, as the collector sees it: a registry, a `docker save` archive, an OCI layout folder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ecosystem/collector.hpp"
#include "ecosystem/oci/image.hpp"

namespace liftlock::oci {

/// What a source's reference means today.
struct Chosen {
  Descriptor root;
  std::string name;     ///< repository, without a host; empty when the source knows none
  std::string version;  ///< tag or digest
  std::string ref;      ///< for ImageFacts::ref
  std::string tag;      ///< the tag that was followed to get here; empty for a digest and for local files
  std::vector<std::string> notes;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual Chosen choose() = 0;
  /// A manifest or index. The caller checks size and digest. @throws Error{unresolvable, http_status, …}
  virtual std::string manifest(const Descriptor& descriptor) = 0;
  /// A config. The same.
  virtual std::string config(const Descriptor& descriptor) = 0;
  /// What upstream attached to this manifest; sizes and types as stated there.
  virtual std::vector<Referrer> referrers(const Digest& subject) = 0;

  enum class Part : std::uint8_t { manifest, blob };
  virtual std::string origin(const Digest& digest, Part part) const = 0;
  virtual Evidence evidence(const Descriptor& descriptor, const Chosen& chosen) const = 0;
  /// How to get one file of a locked artifact.
  virtual FetchJob job(const ArtifactFile& file) = 0;
};

std::unique_ptr<ImageSource> make_registry_source(const Source& source, const StackEntry& entry,
                                                  CollectContext& context);
std::unique_ptr<ImageSource> make_layout_source(const Source& source, CollectContext& context);
std::unique_ptr<ImageSource> make_archive_source(const Source& source, CollectContext& context);

/// The tag under which cosign keeps what belongs to a manifest: "sha256-<hex>" and then ".sig", ".att" or ".sbom".
std::string cosign_tag(const Digest& subject, std::string_view suffix);
inline constexpr std::array<std::string_view, 3> k_cosign_suffixes = {".sig", ".att", ".sbom"};

}  // namespace liftlock::oci
