// A package as several ecosystems publish it: a gzipped tar with one folder at its top (npm tarballs, Helm charts).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "archive/tar_reader.hpp"

namespace liftlock {

struct PackageTar {
  std::string folder;  ///< the one at the top
  std::uint64_t files = 0;
  std::uint64_t unpacked_size = 0;
};

/// Reads the whole archive once, by pread, and calls visit for each regular file: its name below the folder, and its
/// content when wants said how many bytes at most it may have; an empty content otherwise. Refused: links and special
/// files, unsafe names, names outside of the one folder, a name twice (some tools read the first, others the last),
/// bombs.
/// @param what names it in errors ("tarball")
/// @param wants 0: the content of this file does not matter
/// @throws Error{package_malformed, path_unsafe, path_collision, not_regular, limit_exceeded}, and what visit throws
PackageTar read_package_tar(int fd, std::string_view what, const TarLimits& limits,
                            const std::function<std::size_t(std::string_view name)>& wants,
                            const std::function<void(std::string_view name, std::string content)>& visit);
PackageTar read_package_tar(const TarFile& file, std::string_view what, const TarLimits& limits,
                            const std::function<std::size_t(std::string_view name)>& wants,
                            const std::function<void(std::string_view name, std::string content)>& visit);

}  // namespace liftlock
