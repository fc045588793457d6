// A package's tarball as registries serve it: a gzipped tar with one folder ("package" as a rule), which installing
// takes away from each name.
#pragma once

#include <cstdint>

#include "archive/package_tar.hpp"
#include "ecosystem/npm/package_json.hpp"

namespace liftlock::npm {

struct Tarball {
  PackageJson package;
  bool has_shrinkwrap = false;  ///< npm-shrinkwrap.json pins its own dependencies
  std::uint64_t files = 0;
  std::uint64_t unpacked_size = 0;
};

/// read_package_tar, with a package.json of which there is no second spelling, and only what npm's own reader sees as
/// ours does (require_one_reading).
/// A binding.gyp without an install script is one: npm then builds with node-gyp.
/// @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded, json_invalid,
/// json_duplicate_key}
Tarball read_tarball(int fd, const TarLimits& limits = {});

}  // namespace liftlock::npm
