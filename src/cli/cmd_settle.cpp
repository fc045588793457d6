#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "bundle/channel.hpp"
#include "cli/bundle_view.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/reason_option.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string digest;
  std::string reason;
};

/// What the alarm is about. @throws Error{not_found}
std::string forked(const AuditLog& log, const std::string& digest) {
  for (const auto& [channel, history] : channel_histories(log)) {
    for (const auto& fork : history.forks) {
      if (fork.bundle == digest) return fmt::format("{}/{}", channel, fork.sequence);
    }
  }
  for (const auto& fork : unsettled_forks(log)) {
    if (fork.fingerprint == digest) return fmt::format("root statement {}", fork.version);
  }
  throw Error(ErrorCode::not_found, fmt::format("there is no alarm about {}", digest),
              "`liftlock status` lists the forks that nobody settled");
}

void run(Invocation& invocation, const Options& options) {
  if (options.reason.empty()) fail(ErrorCode::reason_required, "who ends an alarm says what was found out");
  const auto digest = parse_digest(options.digest).text();
  const auto site = invocation.site();
  site.require_zone("settle", {Zone::low, Zone::ingest, Zone::production});
  record_config(invocation, site);
  const auto what = forked(open_audit_log(invocation), digest);
  AuditLog(site.audit_folder(), "")
      .append({.type = std::string(k_settle_event),
               .actor = invocation.actor(),
               .outcome = Outcome::success,
               .subject = digest,
               .detail = dump_json_line({{"what", what}, {"reason", options.reason}})});
  invocation.print({{"digest", digest}, {"what", what}, {"reason", options.reason}}, [&] {
    return fmt::format(
        "the fork of {} is settled: noted. Should it come once more, it is refused and an alarm again.\n", what);
  });
}

}  // namespace

void add_settle(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("settle", "End the alarm about a fork, once a person found out what it was");
  auto options = std::make_shared<Options>();
  command->add_option("DIGEST", options->digest, "Of what was refused, as `liftlock status` shows it")->required();
  add_reason(*command, options->reason, "What was found out, for the audit log");
  command->footer(
      "Nothing is believed or taken in by that: what was refused stays refused.\n"
      "Example: liftlock settle 'sha256:3b1f…' --reason 'Ada signed two drafts, and the other is destroyed'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
