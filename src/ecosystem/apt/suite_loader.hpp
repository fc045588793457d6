// Fetches and checks the indexes of suites, and fills a PackageIndex with them.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "ecosystem/apt/apt_sources.hpp"
#include "ecosystem/apt/package_index.hpp"
#include "ecosystem/collector.hpp"

namespace liftlock::apt {

/// One Packages file that was read: what its packages are told from (Package::source is its number).
struct LoadedIndex {
  std::string base_url;  ///< Filename is below it; ends with '/'
  std::string suite;
  Json evidence;   ///< details of the evidence "apt-release"
  Artifact proof;  ///< kind "apt-index": the InRelease and this Packages file, as they were fetched
};

struct LoadRequest {
  std::vector<std::string> architectures;
  std::chrono::seconds accept_expired{0};
  std::string accept_expired_text;  ///< as the stack says it, for the evidence
};

/// @throws as AptCollector::resolve
std::vector<LoadedIndex> load_suites(const std::vector<Suite>& suites, const LoadRequest& request, PackageIndex& index,
                                     CollectContext& context, std::vector<std::string>& notes);

}  // namespace liftlock::apt
