// High side: Debian packages into a repository of the site: through aptly's API (https://www.aptly.info/doc/api/), or
// into the folder that reprepro(1) takes them from. Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock::apt {

/// Its keys: `repository`, aptly's local repository; `publish`, the publication that is updated at the end, as
/// "DISTRIBUTION" or "PREFIX/DISTRIBUTION". @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_aptly_push(const PushSettings& settings, const BlobStore& store);
/// Its key `pool`: where reprepro keeps what it took; what is there is not given again. @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_reprepro_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock::apt
