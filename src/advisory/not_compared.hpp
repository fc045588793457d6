// What no database of advisories is asked about, and why.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "artifact/artifact.hpp"

namespace liftlock::advisory {

struct NotCompared {
  std::map<std::string, std::size_t> kinds;  ///< of how many artifacts each
  std::size_t without_vendor = 0;  ///< RPM packages among them that were taken in before their vendor was kept
};

/// Kinds of which OSV has no ecosystem, and RPM packages of vendors that are not among its distributions, or that
/// nobody knows. What carries evidence is none.
NotCompared not_compared(const std::vector<Artifact>& artifacts);

/// "3 image, 2 rpm (the vendor of 1 was not kept: lock or import them again)"; empty when all are compared.
std::string to_text(const NotCompared& what);

}  // namespace liftlock::advisory
