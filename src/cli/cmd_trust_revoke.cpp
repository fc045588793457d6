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
  std::string since;
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  if (options.change.reason.empty()) fail(ErrorCode::reason_required, "a revocation says why");
  const auto since = options.since.empty() ? now() : parse_time(options.since);
  const Json what{{"change", "revoke"}, {"key", options.key}, {"since", format_time(since)}};
  change_trust(invocation, options.change, what, [&](TrustRoot& root) {
    auto& key = find_key(root, options.key);
    if (key.revoked_since) fail(ErrorCode::usage, "the key {} is revoked already", key.id);
    key.revoked_since = since;
    key.revoked_reason = options.change.reason;
  });
}

}  // namespace

void add_trust_revoke(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("revoke", "Revoke a key: whatever it signed, at any time, is refused from then on");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->key, "Start of the key id, or its owner")->required();
  command->add_option("--since", options->since, "Since when it must be doubted, for people (default: now)")
      ->type_name("TIME");
  add_change_options(*command, options->change);
  command->footer(
      "Example: liftlock trust revoke 1f0c9a33 --since 2026-11-01T00:00:00Z --reason 'laptop stolen' --root-key "
      "root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "revoke", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
