// Which repository of config.toml `push` is told to fill, and how it may be talked to.
#pragma once

#include <string>
#include <string_view>

#include "ecosystem/push.hpp"
#include "site/site.hpp"

namespace liftlock {

struct NamedRepository {
  std::string name;
  RepositoryConfig config;
};

/// @param wanted a name of [repository.NAME], or "oci://NAME" and "oci://HOST:PORT" of one of kind "oci"
/// @throws Error{source_unknown, usage, config_invalid}
NamedRepository find_repository(const Site& site, std::string_view wanted);

/// Reads the login and the certificate. @throws Error{config_invalid, tls_invalid, not_found}
PushSettings push_settings(const Site& site, const RepositoryConfig& config);

}  // namespace liftlock
