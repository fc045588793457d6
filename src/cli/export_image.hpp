// What an engine makes of an image of the store: the name that it gets there, and the one of its platforms that runs
// here.
#pragma once

#include <string>

#include "artifact/artifact.hpp"
#include "cli/store_view.hpp"
#include "ecosystem/oci/manifest.hpp"

namespace liftlock {

/// "HOST/NAME:TAG", or HOST/NAME@sha256:… of an image that was pinned by digest: as its upstream called it; without an
/// upstream docker.io/NAME:TAG, which is what a cluster makes of NAME:TAG.
/// @param wanted what it shall be called instead; empty: nothing else @throws Error{usage} where that is no full name
std::string full_image_name(const Artifact& image, const std::string& wanted);

struct NativeImage {
  Digest digest;  ///< of the manifest
  oci::Manifest manifest;
};

/// The only image, or of several that for this machine.
/// @throws Error{usage} where there is none, or more than one; Error{blob_corrupt, image_malformed}
NativeImage native_image(const OpenStore& store, const Artifact& image);

}  // namespace liftlock
