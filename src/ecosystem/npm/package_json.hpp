// package.json as published packages have it: https://docs.npmjs.com/cli/configuring-npm/package-json
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace liftlock::npm {

constexpr std::size_t k_max_package_json = 8u << 20;
/// Of what a registry tells of one version: it stands in the lock and in the signed list of the bundle.
constexpr std::size_t k_max_manifest = 512u << 10;

struct PackageJson {
  std::string name;
  std::string version;  ///< as it stands there, white space and a leading 'v' or '=' taken away, build metadata too
  std::string license;  ///< SPDX expression or what else stands there; empty when nothing does
  /// What a registry tells clients of a version, without `dist`: name, version, description, license, the dependencies
  /// of all kinds, bin, engines, os, cpu, libc; of the types that clients expect. What has another type is left out, as
  /// npm's own normalisation does.
  Json manifest;
  /// preinstall, install, postinstall and their commands: they run on the machine that installs the package.
  std::map<std::string, std::string> install_scripts;
};

/// Members that no client asks for are skipped, however they look. JSON with a byte order mark is taken, as npm does.
/// @throws Error{json_invalid, json_duplicate_key (of a member that is read), limit_exceeded, package_malformed}
PackageJson parse_package_json(std::string_view text);

}  // namespace liftlock::npm
