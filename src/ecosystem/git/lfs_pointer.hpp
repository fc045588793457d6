// Git LFS: the small files that stand in a repository for large ones, and where those lie in a bundle of ours.
// Source: git-lfs docs/spec.md, "The Pointer"
//
//   "version https://git-lfs.github.com/spec/v1\n"
//   "ext-DIGIT-NAME sha256:HEX\n"                       of extensions, any number
//   "oid sha256:HEX\n"                                  64 lower-case digits: the SHA-256 of the large file
//   "size DECIMAL\n"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::git {

struct LfsPointer {
  Digest oid;
  std::uint64_t size = 0;  ///< as the pointer has it; at most 2^53 - 1
};

/// Longer blobs are no pointers.
inline constexpr std::uint64_t k_max_lfs_pointer = 1023;
/// Of one repository: distinct files, and distinct blobs that are pointers to some bytes.
inline constexpr std::size_t k_max_lfs_files = 100'000, k_max_lfs_pointers = 1'000'000;

/// nullopt for what is no pointer of version 1. Blanks around the whole, and line ends of CR LF, are let pass, as
/// git-lfs does; any other line is not.
std::optional<LfsPointer> parse_lfs_pointer(std::string_view content);

/// 64 lower-case hexadecimal digits.
std::optional<Digest> parse_lfs_oid(std::string_view hex);

/// "objects/ab/cd/HEX": where git-lfs has a file below .git/lfs.
std::string lfs_place(const Digest& oid);
/// "packages/git/NAME.lfs/objects/ab/cd/HEX"
std::string lfs_path(std::string_view repository, const Digest& oid);

}  // namespace liftlock::git
