// Where audit entries are sent to, as [audit] of config.toml says, and how far that is.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "site/site.hpp"
#include "syslog/syslog_shipper.hpp"

namespace liftlock {

/// Nothing where no collector is named. @throws Error{config_invalid, tls_invalid}
std::optional<SyslogTarget> syslog_target(const Site& site);

/// For `status`. The state is "ok", or "behind" when the oldest entry that waits is older than syslog_max_delay.
struct SyslogReport {
  std::string state;
  Json json;
  std::string text;
};
/// Nothing where no collector is named.
std::optional<SyslogReport> syslog_report(const Site& site, const AuditLog& log, Timestamp when);

}  // namespace liftlock
