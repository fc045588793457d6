// Is there one way to read a tar? Readers disagree about what ends an archive, about extended headers that are not
// quite well-formed, and about what else a header of one type may say. Whoever unpacks it on the other side (npm's
// node-tar) is not who inspected it here (libarchive): an archive made for the difference would hide a file from the
// inspection.
#pragma once

#include <string_view>

#include "archive/tar_reader.hpp"

namespace liftlock {

/// Reads the whole archive once more, plain or gzipped, and refuses what libarchive and node-tar (header.ts, parse.ts,
/// pax.ts) would not read alike: anything but zeros after the first block of zeros, headers whose checksum or size is
/// not written plainly, a link's target or a folder's content where there can be none, types besides files, folders and
/// extended headers, two extended headers for one entry, pax records (POSIX.1-2017, pax interchange format) that are
/// more than one line or whose length is not written plainly, and those that one of the two readers alone goes by.
/// It says nothing of names: read_tar() does.
/// @param fd its offset is neither used nor moved
/// @param what names the archive in errors: "the tarball"
/// @throws Error{package_malformed, limit_exceeded}
void require_one_reading(int fd, std::string_view what, const TarLimits& limits);
void require_one_reading(const TarFile& file, std::string_view what, const TarLimits& limits);

}  // namespace liftlock
