// What an image is made of, read from where it lies: a registry, a `docker save` archive, an OCI layout. Both sides:
// the low side collects from these, the high side takes in what somebody else packed.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
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

class ImageReader {
 public:
  virtual ~ImageReader() = default;
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
};

/// The tag under which cosign keeps what belongs to a manifest: "sha256-<hex>" and then ".sig", ".att" or ".sbom".
std::string cosign_tag(const Digest& subject, std::string_view suffix);
inline constexpr std::array<std::string_view, 3> k_cosign_suffixes = {".sig", ".att", ".sbom"};

}  // namespace liftlock::oci
