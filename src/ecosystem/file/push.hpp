// High side: files into a repository that takes them by PUT below its address: nginx with DAV, "raw", "yum" and Helm
// repositories of Nexus, generic ones of Artifactory. Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock {

/// Its keys: `layout`: "tree", each file under its path in a bundle (the default), or "flat", under its name alone; or
/// `path`, a template of that; `suffix`, a template of what stands behind it in the upload, and in nothing else.
/// @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_raw_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock
