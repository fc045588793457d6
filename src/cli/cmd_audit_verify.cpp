#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/interrupt.hpp"
#include "cli/witness_view.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  begin_anew_after_interrupt();
  const auto log = open_audit_log(invocation);
  log.verify();
  const auto when = now();
  const auto standings = Meetings(invocation.site()).standings(log, when);
  require_unbroken(standings);
  const Json result = {{"good", true},
                       {"size", log.size()},
                       {"checkpoint", log.checkpoint()},
                       {"verifier_key", log.verifier_key()},
                       {"witnesses", witnesses_json(standings)}};
  invocation.print(result, [&] {
    return fmt::format("good: {}, every hash and the signature fit\nkey: {}\n{}{}",
                       counted(log.size(), "entry", "entries"), log.verifier_key(), log.checkpoint(),
                       witnesses_text(standings, when));
  });
}

}  // namespace

void add_audit_verify(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("verify", "Recompute the whole audit log and compare with its checkpoint");
  command->footer(
      "Compare the checkpoint that it prints with one that was kept elsewhere, or let a witness keep it: only that "
      "shows\n"
      "a log that was rolled back as a whole. Exit status 4 when anything differs (audit-broken), or is not what a\n"
      "witness of config.toml saw (log-rolled-back, log-forked).\n"
      "Example: liftlock audit verify");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
