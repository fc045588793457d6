// From what a reference means to one artifact: which manifests are wanted, what they name, what upstream attached.
#pragma once

#include "ecosystem/oci/image_source.hpp"

namespace liftlock::oci {

/// Which images of an index are wanted.
struct PlatformChoice {
  std::vector<Platform> wanted;  ///< each must be found; empty: all of them
};

/// Reads the manifests and configs, puts them into the store, and lists every file of the image. The bytes of an index
/// are kept as they are when some of its images are left out: OCI allows that, and its digest stays what was signed.
/// @throws Error{unresolvable} a wanted platform is missing; Error{digest_mismatch, size_mismatch, image_malformed, …}
Artifact gather_image(ImageSource& source, const Chosen& chosen, const PlatformChoice& choice, BlobStore& store);

}  // namespace liftlock::oci
