#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace liftlock {

void add_trust(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand(
      "trust", "Who may sign what: keys, roles, thresholds, and the pinned chain of root statements");
  group->require_subcommand(1);
  for (const auto add :
       {add_trust_keygen, add_trust_init, add_trust_show, add_trust_pin, add_trust_update, add_trust_add_key,
        add_trust_rotate, add_trust_retire, add_trust_revoke, add_trust_threshold, add_trust_sign_root}) {
    add(*group, invocation);
  }
  group->footer("Format and rules: docs/formats/trust.md");
}

}  // namespace liftlock
