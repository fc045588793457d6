// Lists of file digests as coreutils writes and checks them (`sha256sum`, `sha256sum -c`): checksums.txt,
// MODEL_MANIFEST.sha256, signatures/*.sha256. Format: docs/formats/sha256sums.md.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace liftlock {

struct ListedDigest {
  std::string path;  ///< raw bytes, as listed; not checked to be safe: callers parse it as RelPath
  Digest digest;

  bool operator==(const ListedDigest&) const = default;
};

struct Sha256sumsLimits {
  std::size_t max_bytes = 64u << 20;
  std::size_t max_lines = 1'000'000;
};

/// Lines `HEX  PATH`, `HEX *PATH` and `SHA256 (PATH) = HEX`; a leading backslash says that \\, \n and \r in the path
/// are escapes. Empty lines and lines that begin with '#' are skipped, CR before LF is dropped. One path twice with
/// two digests is an error. Unlike `sha256sum -c`, a line that is none of these is an error too.
/// @throws Error{schema_violation, limit_exceeded}
std::vector<ListedDigest> parse_sha256sums(std::string_view text, Sha256sumsLimits limits = {});

/// `HEX  PATH` and LF, escaped as coreutils 9 does it.
std::string sha256sums_line(const Digest& digest, std::string_view path);

/// What `find FOLDER -type f -exec sha256sum {} \; | sort | sha256sum` prints in the C locale: the
/// models_directory_hash of the fifth source document. Paths are given as find prints them ("models/a/b.gguf"), in any
/// order; links are not among them, because `find -type f` skips them.
Digest directory_hash(std::span<const ListedDigest> files);

}  // namespace liftlock
