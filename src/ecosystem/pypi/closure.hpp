// Does a set of wheels satisfy its own requirements? (X5, X6, X15: a wheelhouse that installs without an index.)
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/pypi/core_metadata.hpp"
#include "ecosystem/pypi/requirement.hpp"

namespace liftlock {

struct ClosureMember {
  CoreMetadata metadata;
  std::set<std::string> extras;  ///< asked for by people; what members ask of each other is added by the walk
};

struct ClosureEdge {
  std::size_t from = 0;
  std::size_t to = 0;
  bool operator==(const ClosureEdge&) const = default;
};

struct ClosureGap {
  std::size_t from = 0;
  std::string project;      ///< normalised; empty for Requires-Python and for what cannot be read
  std::string requirement;  ///< as written
  std::string reason;       ///< "nothing here is called idna", "idna 2.0 does not satisfy >=3"
};

struct Closure {
  std::vector<ClosureEdge> edges;  ///< sorted, each once
  std::vector<ClosureGap> gaps;    ///< empty: it installs with --no-index, in this environment
};

/// Follows Requires-Dist and Requires-Python of every member, with the extras that members ask of each other.
/// A requirement that cannot be parsed is a gap.
Closure check_closure(const std::vector<ClosureMember>& members, const MarkerEnvironment& environment);

}  // namespace liftlock
