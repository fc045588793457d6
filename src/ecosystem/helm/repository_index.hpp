// A chart repository's index.yaml: https://helm.sh/docs/topics/chart_repository/
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::helm {

struct IndexedChart {
  std::string url;               ///< absolute
  std::optional<Digest> digest;  ///< SHA-256
};

/// @param base the repository's address, with a '/' at its end: relative URLs are below it
/// @throws Error{unresolvable} naming the versions that there are; Error{package_malformed, limit_exceeded, …}
IndexedChart find_in_index(std::string_view index, std::string_view base, const std::string& name,
                           const std::string& version);

}  // namespace liftlock::helm
