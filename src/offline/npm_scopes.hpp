// Scopes of npm that have a registry of their own, which npm asks whatever its registry is.
// Source: npm's documentation, "Associating a scope with a registry" and npmrc.
#pragma once

#include <map>
#include <set>
#include <string>

#include "os/file.hpp"

namespace liftlock::offline {

/// "@corp" for each "@corp:registry=…" in the .npmrc of the user, of the project and of the folders above it, and in
/// the environment. What cannot be read names none.
/// @param project absolute: the folder that npm is called in
std::set<std::string> npm_scopes(const std::map<std::string, std::string>& environment, const fs::path& project);

}  // namespace liftlock::offline
