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
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  change_trust(invocation, options.change, {{"change", "remove-key"}, {"key", options.key}}, [&](TrustRoot& root) {
    const auto id = find_key(root, options.key).id;
    std::erase_if(root.keys, [&](const auto& key) { return key.id == id; });
  });
}

}  // namespace

void add_trust_remove_key(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("remove-key", "List a key no longer (for a lost or stolen one use revoke)");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->key, "Start of the key id, or its owner")->required();
  add_change_options(*command, options->change);
  command->footer("Example: liftlock trust remove-key 1f0c9a33 --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "remove-key", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
