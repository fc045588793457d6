#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string role;
  unsigned count = 1;
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  const auto role = require_role(options.role);
  if (options.count > 64) fail(ErrorCode::usage, "a threshold is at most 64");
  if (options.count == 0 && (role == Role::root || role == Role::builder)) {
    fail(ErrorCode::usage, "the role {} always needs a signature", name(role));
  }
  const Json what{{"change", "threshold"}, {"role", name(role)}, {"threshold", options.count}};
  change_trust(invocation, options.change, what, [&](TrustRoot& root) {
    const auto before = root.thresholds.contains(role) ? root.thresholds.at(role) : 0;
    if (options.count < before && options.change.reason.empty()) {
      fail(ErrorCode::reason_required, "the threshold of {} goes down from {} to {}", name(role), before,
           options.count);
    }
    root.thresholds.erase(role);
    if (options.count > 0) root.thresholds[role] = options.count;
    require_enough_keys(root, role);
    require_one_key_each(root, role);
  });
}

}  // namespace

void add_trust_threshold(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("threshold", "Say how many distinct keys of a role must sign");
  auto options = std::make_shared<Options>();
  command->add_option("ROLE", options->role, "Whose signatures are counted")
      ->required()
      ->type_name("{root,builder,scanner,approver,ingest}");
  command
      ->add_option("N", options->count,
                   "How many; 0 asks for none (not for root and builder); going down needs --reason")
      ->required()
      ->check(whole_number(0, 1000));
  add_change_options(*command, options->change);
  command->footer("Example: liftlock trust threshold approver 2 --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "threshold", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
