// Packages and Release files of one suite, as text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ecosystem/route.hpp"

namespace liftlock::apt {

/// What one suite consists of: paths below dists/CHANNEL/ with their bytes, without Release and InRelease.
struct SuiteIndex {
  std::vector<std::string> architectures;    ///< without "all"
  std::map<std::string, std::string> files;  ///< "main/binary-amd64/Packages" …
};

/// @param debs artifacts of kind "deb", ascending by sequence: of one file name the last counts
SuiteIndex make_suite_index(const std::vector<const MirroredArtifact*>& debs, const std::string& channel);

std::string make_release(const SuiteIndex& index, const std::string& channel, Timestamp date);

/// "pool/CHANNEL/FILE.deb"
std::string pool_path(const std::string& channel, const ArtifactFile& file);

}  // namespace liftlock::apt
