// cargo as a child process that downloads what a Cargo.lock names, with the user's own configuration: registries,
// source replacement, proxies, credentials. It writes to a private home and to nothing else; no build script runs.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "ecosystem/cargo/registry_config.hpp"

namespace liftlock::cargo {

/// One .crate that cargo downloaded.
struct DownloadedCrate {
  std::filesystem::path at;
  std::string registry_folder;  ///< what cargo calls the registry in its home
};

struct Downloads {
  std::map<std::string, DownloadedCrate> crates;     ///< by file name, "serde-1.0.200.crate"
  std::map<std::string, RegistryConfig> registries;  ///< by folder; those whose index is a git repository are not here
};

/// `cargo fetch --locked` for the workspace whose Cargo.toml is in `project`.
/// @param home an empty folder that becomes cargo's
/// @throws Error{tool_missing} without a cargo of 1.68 or later, Error{unresolvable} with cargo's words
Downloads fetch_crates(const std::filesystem::path& project, const std::filesystem::path& home);

/// Puts the user's configuration and credentials into a private home, as links.
void link_configuration(const std::filesystem::path& home);

}  // namespace liftlock::cargo
