#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"
#include "trust/key_file.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string key;
  std::string role;
  std::string owner;
  std::string key_expires;
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  auto key = describe_key(options.key, require_role(options.role), options.owner);
  if (!options.key_expires.empty()) key.expires = parse_expiry(options.key_expires);
  const Json what{{"change", "add-key"}, {"key", key.id}, {"role", name(key.role)}, {"owner", key.owner}};
  change_trust(invocation, options.change, what, [&](TrustRoot& root) {
    if (const auto* known = root.find(key.id)) {
      fail(ErrorCode::usage, "the key {} is listed already, as {} of {}", key.id, name(known->role), known->owner);
    }
    root.keys.push_back(std::move(key));
  });
}

}  // namespace

void add_trust_add_key(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("add-key", "List one more key");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->key, "Public key file, or gpg:FINGERPRINT")->required();
  command->add_option("--role", options->role, "What the key may sign as")
      ->required()
      ->type_name("{root,builder,scanner,approver,ingest}");
  command->add_option("--owner", options->owner, "Whose it is, for people");
  command->add_option(
      "--key-expires", options->key_expires,
      "When the key ends: 365d, a day like 2027-11-23 (to its end, UTC), or a time (not for root keys)");
  add_change_options(*command, options->change);
  command->footer("Example: liftlock trust add-key ada.pub --role approver --owner 'Ada, CISO' --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "add-key", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
