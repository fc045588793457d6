// High side: charts into a chart repository of the site (ChartMuseum's API, https://chartmuseum.com/docs/), or into a
// registry as OCI artifacts (https://helm.sh/docs/topics/registries/). Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock::helm {

/// Its key `prefix`: "ORGANISATION/REPOSITORY" of a ChartMuseum with several. @throws Error{config_invalid}
std::unique_ptr<PushTarget> make_museum_push(const PushSettings& settings, const BlobStore& store);
/// What `helm pull oci://HOST/PREFIX/NAME --version VERSION` takes. Keys as those of images.
std::unique_ptr<PushTarget> make_chart_registry_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock::helm
