// From what a reference means to one artifact: which manifests are wanted, what they name, what upstream attached.
#pragma once

#include <functional>
#include <string_view>

#include "ecosystem/oci/image_reader.hpp"

namespace liftlock::oci {

/// Which images of an index are wanted.
struct PlatformChoice {
  std::vector<Platform> wanted;  ///< each must be found; empty: all of them
};

/// Reads the manifests and configs, hands each to `keep` once it was checked, and lists every file of the image. The
/// bytes of an index are kept as they are when some of its images are left out: OCI allows that, and its digest stays
/// what was signed.
/// @throws Error{unresolvable} a wanted platform is missing; Error{digest_mismatch, size_mismatch, image_malformed, …}
Artifact gather_image(ImageReader& reader, const Chosen& chosen, const PlatformChoice& choice,
                      const std::function<void(std::string_view)>& keep);

}  // namespace liftlock::oci
