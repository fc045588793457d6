// Private to the room: config.toml as SiteConfig. Format: docs/formats/config.md.
#pragma once

#include "base/toml_document.hpp"
#include "site/site.hpp"

namespace liftlock {

/// @throws Error{config_invalid, unknown_key} with the line
SiteConfig parse_config(const std::string& text);

// the tables of what serves and runs models (config_serving.cpp); the others are in config.cpp
void read_serve(const toml::table& table, SiteConfig& config);
void read_telemetry(const toml::table& table, SiteConfig& config);
void read_models(const toml::table& table, SiteConfig& config);
void read_gateway(const toml::table& table, SiteConfig& config);
std::map<std::string, PoolConfig> read_pools(const toml::table& table);
void read_record(const toml::table& table, SiteConfig& config);

// repositories that `push` fills (config_repositories.cpp)
void read_repositories(const toml::table& table, SiteConfig& config);
/// After those: a name may stand in one of the two.
void read_registries(const toml::table& table, SiteConfig& config);

}  // namespace liftlock
