// package-lock.json and npm-shrinkwrap.json, lockfileVersion 2 and 3:
// https://docs.npmjs.com/cli/configuring-npm/package-lock-json
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ecosystem/npm/integrity.hpp"

namespace liftlock::npm {

/// One name and version of the lock, wherever in the tree it stands.
struct LockedPackage {
  std::string name;
  std::string version;
  std::string resolved;  ///< where its tarball is; empty where the lock was written without
  std::optional<Integrity> integrity;
  std::string integrity_text;        ///< as it stands there
  std::string deprecated;            ///< what the registry told whoever made the lock; empty: not deprecated
  bool dev = true;                   ///< only development needs it
  bool optional = true;              ///< installing goes on without it
  bool dev_optional = true;          ///< one of both
  bool peer = true;                  ///< there as a peer of others only
  std::vector<std::string> os, cpu;  ///< for which platforms it is; empty: for all
  std::vector<std::size_t> needs;    ///< indexes of packages; sorted, each once
};

struct PackageLock {
  std::vector<LockedPackage> packages;  ///< sorted by name and version
  std::vector<std::string> notes;       ///< what is no package of a registry and travels by another way
};

/// Folders of the project itself (workspaces, `file:`) and what is bundled in other packages are left out.
/// @param file names it in errors
/// @throws Error{stack_invalid} for lockfileVersion 1, the locks of other clients and packages from git;
/// Error{json_invalid, json_duplicate_key, limit_exceeded, schema_violation}
PackageLock parse_package_lock(std::string_view text, std::string_view file);

/// A platform as npm's os and cpu fields name it.
struct NodePlatform {
  std::string os;   ///< "linux", "win32", "darwin" …
  std::string cpu;  ///< "x64", "arm64" …

  /// Of "linux/amd64". @throws Error{stack_invalid}
  static NodePlatform of(std::string_view platform, std::string_view where);
};

/// Do the package's os and cpu lists ("linux", "!win32", "any") take this platform?
bool is_for(const LockedPackage& package, const NodePlatform& platform);

}  // namespace liftlock::npm
