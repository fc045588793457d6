// A package's tarball as registries serve it: a gzipped tar with one folder ("package" as a rule), which installing
// takes away from each name.
#pragma once

#include <cstdint>

#include "ecosystem/npm/package_json.hpp"

namespace liftlock::npm {

struct TarballLimits {
  std::uint64_t entries = 300'000;
  std::uint64_t ratio = 200;
  std::uint64_t free_size = 64u << 20;  ///< unpacked size beyond ratio * (size of the file)
};

struct Tarball {
  PackageJson package;
  bool has_shrinkwrap = false;  ///< npm-shrinkwrap.json pins its own dependencies
  std::uint64_t files = 0;
  std::uint64_t unpacked_size = 0;
};

/// Reads the whole archive once, by pread. Refused: links and special files, unsafe names, names outside of the one
/// folder, a name twice (a scanner reads the first, npm the last), bombs, a package.json that is missing or too large.
/// A binding.gyp without an install script is one: npm then builds with node-gyp.
/// @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded, json_invalid,
/// json_duplicate_key}
Tarball read_tarball(int fd, TarballLimits limits = {});

}  // namespace liftlock::npm
