// Tarballs as npm has them in its cache, where `npm ci --offline` finds them by the digest that the lock states:
// https://docs.npmjs.com/cli/commands/npm-cache, and lib/content/path.js of npm's cacache (content-v2, since npm 5).
#pragma once

#include <span>

#include "ecosystem/plain_layout.hpp"

namespace liftlock::npm {

/// _cacache/content-v2/sha512/ab/cd/…, for the folder that npm's `cache` names. Without entries of an index: npm needs
/// none for what a lock gives the digest of, and all that `npm install NAME` asks for is not there.
/// @throws Error{schema_violation}, with the package, for one whose facts state no digest
PlainLayout cache_layout(std::span<const Artifact> artifacts);

}  // namespace liftlock::npm
