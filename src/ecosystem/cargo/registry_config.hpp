// The config.json of a registry: where its crates are downloaded.
// Source: https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration
#pragma once

#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace liftlock::cargo {

struct RegistryConfig {
  std::string download;  ///< `dl`: an address, with or without markers
  bool needs_login = false;

  /// Where the .crate is.
  std::string download_url(std::string_view name, std::string_view version, const Digest& checksum) const;
};

/// @throws Error{unresolvable}
RegistryConfig parse_registry_config(std::string_view text);

}  // namespace liftlock::cargo
