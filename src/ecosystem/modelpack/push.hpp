// High side: models as OCI artifacts into a registry of the site: docs/formats/push.md (oci),
// docs/formats/modelpack.md.
#pragma once

#include <memory>

#include "ecosystem/push.hpp"

namespace liftlock::modelpack {

/// A model becomes PREFIX/NAME:VERSION, the manifest that the mirror serves. What is there under that tag is never
/// moved: a manifest of the same files counts as the model, whoever pushed it. A model of which the store lacks a file,
/// or whose manifest is larger than registries take, is left out. @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_modelpack_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock::modelpack
