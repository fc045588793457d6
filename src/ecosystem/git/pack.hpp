// Is a pack what it says, and whole? Every object is inflated, every delta applied, every name computed, and every link
// from one object to another followed; no object is there twice. Source: gitformat-pack(5),
// https://git-scm.com/docs/gitformat-pack
//
// What git-fsck(1) knows beyond that (spellings of ".git" that only some file systems fold, .gitmodules that attack
// older clients) is left to git itself: it looks before a repository is locked, and again before it is served.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ecosystem/git/lfs_pointer.hpp"
#include "ecosystem/git/object.hpp"

namespace liftlock::git {

struct PackLimits {
  std::uint32_t objects = 8'000'000;
  std::uint64_t object = 4ull << 30;            ///< bytes of one that is not in memory: a blob without deltas on it
  std::uint64_t object_in_memory = 256u << 20;  ///< of a commit, tree, tag, delta, and what a delta is applied to
  std::uint64_t memory = 1ull << 30;            ///< of all that are in memory at one moment
  std::uint64_t total = 512ull << 30;           ///< bytes of all objects together
  /// Must the last 20 bytes be the SHA-1 of the rest? A fuzzer would find nothing behind that.
  enum class Trailer : std::uint8_t { right, any } trailer = Trailer::right;
};

struct PackFacts {
  std::uint32_t objects = 0;
  std::uint32_t commits = 0, trees = 0, blobs = 0, tags = 0;
  std::uint64_t bytes = 0;                 ///< of all objects
  std::uint64_t lfs_pointers = 0;          ///< blobs that stand for files of Git LFS
  std::uint64_t submodules = 0;            ///< entries of trees, in all of the history
  std::map<std::string, ObjectId> peeled;  ///< of what was wanted, by name: what a tag leads to, else the object itself
};

/// Memory: about 80 bytes for each object, 40 more for each tag, and PackLimits::memory.
/// @param wanted what must be in it, with "a name for errors": refs
/// @param on_pointer told of each blob that stands for a file of Git LFS; may be empty
/// @throws Error{package_malformed, path_unsafe, limit_exceeded, size_mismatch}
PackFacts check_pack(int file, std::uint64_t offset, std::uint64_t size,
                     const std::vector<std::pair<std::string, ObjectId>>& wanted, const PackLimits& limits = {},
                     const std::function<void(const LfsPointer&)>& on_pointer = {});

}  // namespace liftlock::git
