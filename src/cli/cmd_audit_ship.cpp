#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "cli/syslog_settings.hpp"
#include "cli/whole_number.hpp"
#include "net/server.hpp"

namespace liftlock {
namespace {

struct Options {
  std::optional<std::uint64_t> from;
  bool once = false;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit ship", {Zone::ingest, Zone::production});
  record_config(invocation, site);
  auto target = syslog_target(site);
  if (!target) {
    throw Error(ErrorCode::config_invalid, "config.toml names no collector",
                "write its address under [audit]: syslog = \"tls://10.0.0.9:6514\", with syslog_ca_file");
  }
  const auto size = AuditLog::open_to_read(site.audit_folder()).size();
  if (options.from && *options.from > size) {
    fail(ErrorCode::usage, "--from is {}, and the audit log holds {} entries", *options.from, size);
  }
  if (options.once || options.from) {
    const auto sent = ship_audit(site.syslog_folder(), site.audit_folder(), *target, options.from);
    invocation.print({{"sent", sent}, {"address", site.config().syslog->address}}, [&] {
      return fmt::format("sent {} to {}\n", counted(sent, "audit entry", "audit entries"),
                         printable(site.config().syslog->address));
    });
  }
  if (options.once) return;
  StopSignals signals;
  const SyslogShipper shipper(site.syslog_folder(), site.audit_folder(), std::move(*target), invocation.reporter());
  signals.wait([] {});
}

}  // namespace

void add_audit_ship(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("ship", "Send audit entries to the site's collector (syslog over TLS)");
  auto options = std::make_shared<Options>();
  command->add_flag("--once", options->once, "Send what waits, then end: for a timer");
  command->add_option("--from", options->from, "Send from this entry on, once more, what the collector lost")
      ->check(whole_number(0, k_max_exact));
  command->footer(
      "Off unless config.toml names a collector: [audit] syslog. `liftlock serve` sends them by itself; this is for\n"
      "machines where it does not run. Without --once it goes on until it is ended.\n"
      "Example: liftlock audit ship --once");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
