#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "cli/cmd_audit.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto log = open_audit_log(invocation);
  log.verify();
  const Json result = {
      {"good", true}, {"size", log.size()}, {"checkpoint", log.checkpoint()}, {"verifier_key", log.verifier_key()}};
  invocation.print(result, [&] {
    return fmt::format("good: {}, every hash and the signature fit\nkey: {}\n{}",
                       counted(log.size(), "entry", "entries"), log.verifier_key(), log.checkpoint());
  });
}

}  // namespace

void add_audit_verify(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("verify", "Recompute the whole audit log and compare with its checkpoint");
  command->footer(
      "Compare the checkpoint that it prints with one that was kept elsewhere: only that shows a log that was rolled\n"
      "back as a whole. Exit status 4 (audit-broken) when anything differs.\n"
      "Example: liftlock audit verify");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
