// High side: packages into an npm registry of the site, as `npm publish` puts them there.
// https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md and npm's own libnpmpublish.
// Specification: docs/formats/push.md.
#pragma once

#include "ecosystem/push.hpp"

namespace liftlock::npm {

std::unique_ptr<PushTarget> make_npm_push(const PushSettings& settings, const BlobStore& store);

}  // namespace liftlock::npm
