// A Dockerfile that builds quickly with a network, and without one once the caches or the mirror are there.
#pragma once

#include <string>
#include <vector>

namespace liftlock::dockerfile {

struct Recipe {
  std::string base;                   ///< "registry.example/python:3.11-slim@sha256:…"
  std::vector<std::string> packages;  ///< of apt
  std::string requirements;           ///< file in the build context; empty: no Python packages
  /// Folder of wheels in the build context, mounted while pip installs, without a network. Empty: pip asks its index.
  std::string wheelhouse;
  std::string mirror;  ///< address that the build reaches the mirror by, for pip; empty: pip's own configuration
};

/// @throws Error{usage} for names that would break out of their place
std::string write_dockerfile(const Recipe& recipe);

}  // namespace liftlock::dockerfile
