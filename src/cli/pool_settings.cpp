#include "cli/pool_settings.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

std::vector<HttpAddress> endpoints_of(const std::string& name, const PoolConfig& config, const Networks& networks) {
  std::vector<HttpAddress> out;
  for (const auto& text : config.endpoints) {
    const auto address = HttpAddress::parse(text);
    if (!address) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: '{}' of [pool.{}] is no address", printable(text), name),
                  "write it as \"http://10.0.0.5:8000\" or \"https://NAME:8443\"");
    }
    if (const auto literal = IpAddress::parse(address->host); literal && !networks.contain(*literal)) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: '{}' of [pool.{}] is in none of the allowed networks", text, name),
                  "add its network to networks under [gateway]");
    }
    if (address->tls && !config.ca_file) {
      fail(ErrorCode::config_invalid, "config.toml: [pool.{}] has https endpoints and needs 'ca_file'", name);
    }
    if (config.credential_file && !address->tls && !IpAddress::parse(address->host)) {
      throw Error(
          ErrorCode::config_invalid,
          fmt::format("config.toml: [pool.{}] would send its credential to whatever '{}' resolves to", name, text),
          "write the endpoint with https, or with an address instead of a name");
    }
    out.push_back(*address);
  }
  return out;
}

}  // namespace

std::string read_credential(const fs::path& file) {
  std::error_code error;
  if (const auto mode = fs::status(file, error).permissions();
      !error && (mode & (fs::perms::others_read | fs::perms::others_write)) != fs::perms::none) {
    fmt::print(stderr, "liftlock: warning: every user of this machine may read '{0}', a secret: chmod o= '{0}'\n",
               printable(file.string()));
  }
  return parse_credential(read_file(file, k_max_credential + 2), file);
}

std::string parse_credential(std::string_view text, const fs::path& file) {
  const auto credential = trim(text);
  const bool plain = std::all_of(credential.begin(), credential.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (credential.empty() || !plain) {
    fail(ErrorCode::config_invalid, "'{}' holds no token of one line", printable(file.string()));
  }
  return std::string(credential);
}

std::shared_ptr<const Networks> pool_networks(const Site& site) {
  const auto& listed = site.config().networks;
  std::vector<std::string> texts(k_private_networks.begin(), k_private_networks.end());
  if (!listed.empty()) texts = listed;
  std::vector<Network> networks;
  for (const auto& text : texts) {
    const auto network = Network::parse(text);
    if (!network) {
      throw Error(ErrorCode::config_invalid,
                  fmt::format("config.toml: '{}' under [gateway] is no network", printable(text)),
                  "write it as \"10.0.0.0/8\" or \"fd00::/8\", with no bits behind its length");
    }
    networks.push_back(*network);
  }
  return std::make_shared<Networks>(std::move(networks));
}

std::vector<pool::Settings> pool_settings(const Site& site) {
  const auto networks = pool_networks(site);
  std::vector<pool::Settings> out;
  for (const auto& [name, config] : site.config().pools) {
    if (site.config().require_gate && !config.gated) {
      throw Error(ErrorCode::forbidden,
                  fmt::format("the pool '{}' does not declare a load gate, and [gateway] requires one", name),
                  fmt::format("start its engines with `liftlock gate` and write gated = true under [pool.{}]", name));
    }
    pool::Settings settings;
    settings.name = name;
    settings.api = config.api == "tei" ? pool::Api::tei : pool::Api::openai;
    settings.endpoints = endpoints_of(name, config, *networks);
    settings.models = config.models;
    if (config.credential_file) settings.credential = read_credential(*config.credential_file);
    if (config.ca_file) settings.tls = make_client_tls(*config.ca_file);
    settings.slots = config.slots;
    settings.limits.connect = config.connect_timeout;
    settings.limits.first_byte = config.answer_timeout;
    settings.limits.idle = config.idle_timeout;
    out.push_back(std::move(settings));
  }
  return out;
}

std::vector<pool::Settings> open_pools(const Site& site, AuditLog& log, const std::string& actor) {
  auto settings = pool_settings(site);
  for (const auto& [name, config] : site.config().pools) {
    log.append({.type = "pool.open",
                .actor = actor,
                .outcome = Outcome::success,
                .subject = name,
                .detail = dump_json_line({{"endpoints", config.endpoints},
                                          {"models", config.models},
                                          {"gate", config.gated ? "the site says so" : "none"}})});
  }
  return settings;
}

}  // namespace liftlock
