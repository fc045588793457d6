// High side: repodata/ of a repository, made from the headers of its packages. Source: createrepo_c's output and the
// readers of librepo and libsolv; namespaces linux.duke.edu/metadata/{repo,common,filelists,other}.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "ecosystem/rpm/package_file.hpp"

namespace liftlock::rpm {

/// One package's elements, ready to stand in the three lists.
struct IndexedPackage {
  std::string primary;
  std::string filelists;
  std::string other;

  std::uint64_t size() const { return primary.size() + filelists.size() + other.size(); }
};

/// @param location of the .rpm below the repository
/// @throws Error{package_malformed, limit_exceeded}
IndexedPackage index_package(const PackageFile& package, const Digest& digest, std::string_view location);

struct RepositoryIndex {
  std::string repomd;
  std::map<std::string, std::string> files;  ///< "HEX-primary.xml.gz" …, below repodata/
};

/// Equal packages and time give equal bytes. @param time the revision, and the time stamp of each list
RepositoryIndex make_repository_index(const std::vector<const IndexedPackage*>& packages, Timestamp time);

}  // namespace liftlock::rpm
