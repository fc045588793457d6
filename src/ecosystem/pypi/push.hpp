// High side: wheels and source distributions into a package index of the site, by the upload API that twine speaks:
// POST of multipart/form-data with ":action" "file_upload" (twine/repository.py and warehouse/forklift/legacy.py are
// its only specification). What is there, its index tells. Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock {

/// Its key `index`: where the pages of projects are, below the address ("simple", the default; "+simple" of devpi).
/// @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_pypi_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock
