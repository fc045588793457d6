// A source distribution: https://packaging.python.org/en/latest/specifications/source-distribution-format/ (PEP 625,
// 643): a gzipped tar with one folder NAME-VERSION that holds PKG-INFO.
#pragma once

#include "archive/tar_reader.hpp"
#include "ecosystem/pypi/core_metadata.hpp"
#include "ecosystem/pypi/wheel_filename.hpp"

namespace liftlock {

/// Reads the whole archive once. Refused: links and special files, unsafe names, names outside of the one folder,
/// bombs.
/// @throws Error{package_malformed, path_unsafe, not_regular, limit_exceeded}
CoreMetadata check_sdist(int fd, const SdistFilename& name, TarLimits limits = {});

}  // namespace liftlock
