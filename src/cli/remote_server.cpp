#include "cli/remote_server.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/pool_settings.hpp"

namespace liftlock {

RemoteServer remote_server(const Site& site, const RemoteSettings& settings) {
  const auto where = fmt::format("config.toml: '{}' of {}", settings.key, printable(settings.table));
  const auto shown = printable(settings.address);
  const auto address = HttpAddress::parse(settings.address);
  if (!address) {
    throw Error(ErrorCode::config_invalid, fmt::format("{} is no address: '{}'", where, shown),
                "write it as \"https://NAME:8443\"");
  }
  if (address->tls && !settings.ca_file) {
    throw Error(ErrorCode::config_invalid, fmt::format("{} is https and needs 'ca_file'", where),
                "name the PEM file of the CA that the server's certificate comes from");
  }
  const auto literal = IpAddress::parse(address->host);
  const bool is_local = literal && Network::parse(literal->is_v4() ? "127.0.0.0/8" : "::1/128")->contains(*literal);
  if (!address->tls && !is_local && !settings.allow_http) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("{} is another machine, and would be asked without TLS: '{}'", where, shown),
                "write it with https, or say allow_http = true there where something else protects the way");
  }
  if (settings.sends_secret && !address->tls && !literal) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("{} would be sent a secret, whatever '{}' resolves to", where, printable(address->host)),
                "write it with https, or with an address instead of a name");
  }
  const auto networks = pool_networks(site);
  if (literal && !networks->contain(*literal)) {
    throw Error(ErrorCode::config_invalid, fmt::format("{} is in none of the allowed networks: '{}'", where, shown),
                "add its network to networks under [gateway]");
  }
  return {
      .address = *address, .networks = networks, .tls = address->tls ? make_client_tls(*settings.ca_file) : nullptr};
}

}  // namespace liftlock
