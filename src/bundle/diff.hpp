// What differs between two sets of artifacts: of locks, of bundles, of a store.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "artifact/artifact.hpp"
#include "base/json.hpp"

namespace liftlock {

struct Difference {
  enum class Change : std::uint8_t {
    added,    ///< only in the second
    removed,  ///< only in the first
    version,  ///< one version in each, and another one
    content,  ///< the same version with other files
  };
  Change change = Change::added;
  std::string kind;
  std::string name;
  std::string old_version;  ///< empty when added
  std::string new_version;  ///< empty when removed
  std::uint64_t old_size = 0;
  std::uint64_t new_size = 0;
  std::vector<std::string> paths;  ///< for content: the files that differ

  bool operator==(const Difference&) const = default;
};

std::string_view name(Difference::Change change);

/// Sorted by kind, name and version. Files are compared by path, size and digest; where they came from is not.
std::vector<Difference> diff_artifacts(const std::vector<Artifact>& before, const std::vector<Artifact>& after);

Json to_json(const Difference& difference);

}  // namespace liftlock
