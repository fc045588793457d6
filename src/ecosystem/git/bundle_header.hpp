// The head of a git bundle: what its pack is worth. Source: gitformat-bundle(5),
// https://git-scm.com/docs/gitformat-bundle
//
//   "# v2 git bundle\n"   or   "# v3 git bundle\n" and lines "@KEY[=VALUE]\n"
//   "-ID comment\n"       what the receiver must have: refused, a repository crosses whole
//   "ID REF\n"            at least one
//   "\n" and the pack
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ecosystem/git/object.hpp"

namespace liftlock::git {

struct BundleHeader {
  int version = 2;
  std::optional<ObjectId> head;          ///< of the line that names HEAD
  std::map<std::string, ObjectId> refs;  ///< by full name; at least one
  std::uint64_t pack_offset = 0;         ///< in the bundle
};

/// At most 16 MiB and 100 000 refs.
/// @param bytes the beginning of a bundle, or all of it. @throws Error{package_malformed, limit_exceeded}
BundleHeader parse_bundle_header(std::string_view bytes);

/// Of an open file, from offset 0. @throws what parse_bundle_header() does
BundleHeader read_bundle_header(int file);

}  // namespace liftlock::git
