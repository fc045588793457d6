// Pools as config.toml describes them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "pool/pools.hpp"
#include "site/site.hpp"

namespace liftlock {

/// [gateway] networks, or private ones. @throws Error{config_invalid}
std::shared_ptr<const Networks> pool_networks(const Site& site);
/// The one line of a file that holds a bearer token. @throws Error{config_invalid, not_found}
std::string read_credential(const fs::path& file);
/// The same of what was read of the file.
std::string parse_credential(std::string_view text, const fs::path& file);
inline constexpr std::uint64_t k_max_credential = 4096;
/// Reads credentials and certificates. @throws Error{config_invalid, tls_invalid, not_found, forbidden}: forbidden for
/// a pool without `gated` where [gateway] require_gate is set
std::vector<pool::Settings> pool_settings(const Site& site);
/// The same, with each pool's addresses, and what the site says of its load gate, in the log.
std::vector<pool::Settings> open_pools(const Site& site, AuditLog& log, const std::string& actor);

}  // namespace liftlock
