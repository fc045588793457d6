// High side: repodata/ of a repository, put together from what its packages are in the lists. Source: createrepo_c's
// output and the readers of librepo and libsolv; namespace linux.duke.edu/metadata/repo.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "ecosystem/rpm/indexed_package.hpp"

namespace liftlock::rpm {

struct RepositoryIndex {
  std::string repomd;
  std::map<std::string, std::string> files;  ///< "HEX-primary.xml.gz" …, below repodata/
};

/// Equal packages and time give equal bytes. @param time the revision, and the time stamp of each list
RepositoryIndex make_repository_index(const std::vector<const IndexedPackage*>& packages, Timestamp time);

}  // namespace liftlock::rpm
