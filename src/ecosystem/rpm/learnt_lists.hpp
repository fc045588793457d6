// High side: what packages are in a repository's lists, as their inspection said when they came in. Of those whose
// facts do not say it (they came in before the inspector did, or the catalog did not keep that much) the cell is asked,
// once: its answer is kept in the cache folder.
#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "ecosystem/route.hpp"
#include "ecosystem/rpm/indexed_package.hpp"

namespace liftlock::rpm {

/// For one thread, that which builds a route.
class LearntLists {
 public:
  /// @param environment must outlive it
  explicit LearntLists(const RouteEnvironment& environment);

  /// nullopt: neither the facts nor the cell say it, of a package that is not in the store, or that is refused now.
  std::optional<IndexedPackage> of(const Artifact& artifact);
  /// Removes answers about packages that of() was not asked about. What cannot be removed stays.
  void tidy() const noexcept;

 private:
  std::optional<IndexedPackage> asked(const Artifact& artifact);

  const RouteEnvironment& m_environment;
  std::filesystem::path m_folder;  ///< empty: nothing is kept
  std::set<std::string> m_names;   ///< of files in it
};

}  // namespace liftlock::rpm
