// A server of the site that config.toml names: how it may be talked to.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/upstream.hpp"
#include "site/site.hpp"

namespace liftlock {

struct RemoteSettings {
  std::string_view table;  ///< "[sync]", for errors
  std::string_view key;    ///< of the address in it
  std::string address;
  std::optional<fs::path> ca_file;
  bool allow_http = false;
  bool sends_secret = false;  ///< a token or a login
};

/// TLS proved by the CA that config.toml names; http to this machine alone, unless it is allowed; within the networks
/// of [gateway]. @throws Error{config_invalid, tls_invalid}
RemoteServer remote_server(const Site& site, const RemoteSettings& settings);

}  // namespace liftlock
