#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string key;
  std::string until;
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  const auto until = parse_until(options.until);
  Json what{{"change", "retire"}, {"key", options.key}};
  if (until) what["until"] = format_time(*until);
  change_trust(invocation, options.change, what, [&](TrustRoot& root) {
    const auto key = find_key(root, options.key);
    retire_key(root, key.id, until);
    require_enough_keys(root, key.role, key.id);
  });
}

}  // namespace

void add_trust_retire(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("retire", "List a key no longer (for a lost or stolen one use revoke)");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->key, "Start of the key id, or its owner")->required();
  add_until(*command, options->until);
  add_change_options(*command, options->change);
  command->footer(
      "What it signed and you took in stays in use; what it signed and is still under way is refused (key-retired), "
      "unless\n"
      "--until lets it count for a while.\n"
      "Example: liftlock trust retire 1f0c9a33 --until 2026-12-31 --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "retire", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
