#include "cli/syslog_settings.hpp"

#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/pool_settings.hpp"

namespace liftlock {

std::optional<SyslogTarget> syslog_target(const Site& site) {
  const auto& config = site.config().syslog;
  if (!config) return std::nullopt;
  const auto address = SyslogAddress::parse(config->address);
  if (!address) {
    throw Error(ErrorCode::config_invalid,
                fmt::format("config.toml: 'syslog' of [audit] is no address: '{}'", printable(config->address)),
                "write it as \"tls://10.0.0.9:6514\", or \"unix:///dev/log\" for this machine");
  }
  SyslogTarget target;
  target.address = *address;
  if (address->host.empty()) return target;
  if (!config->ca_file) {
    fail(ErrorCode::config_invalid, "config.toml: 'syslog' of [audit] is tls and needs 'syslog_ca_file'");
  }
  target.networks = pool_networks(site);
  target.tls = make_syslog_tls(*config->ca_file, config->certificate, config->key);
  return target;
}

std::optional<SyslogReport> syslog_report(const Site& site, const AuditLog& log, Timestamp when) {
  const auto& config = site.config().syslog;
  if (!config) return std::nullopt;
  const auto standing = syslog_standing(site.syslog_folder(), log);
  SyslogReport out;
  const bool behind = standing.oldest && *standing.oldest + config->max_delay < when;
  out.state = standing.sent > standing.size ? "rolled-back" : behind ? "behind" : "ok";
  out.json = {{"address", config->address},
              {"state", out.state},
              {"sent", standing.sent},
              {"size", standing.size},
              {"oldest", standing.oldest ? Json(format_time(*standing.oldest)) : Json()}};
  out.text = fmt::format("collector {}: {} of {} sent: {}\n", printable(config->address), standing.sent,
                         counted(standing.size, "audit entry", "audit entries"), out.state);
  if (behind) {
    out.text += fmt::format(
        "behind: entries wait since {}. `liftlock audit ship --once` tells why; `serve` sends them when it runs\n",
        format_time(*standing.oldest));
  }
  if (out.state == "rolled-back") out.text += "rolled-back: the audit log is shorter than what was sent of it\n";
  return out;
}

}  // namespace liftlock
