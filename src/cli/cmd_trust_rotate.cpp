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
  std::string old_key;
  std::string new_key;
  std::string until;
  ChangeOptions change;
};

void run(Invocation& invocation, const Options& options) {
  const auto until = parse_until(options.until);
  Json what{{"change", "rotate"}, {"key", options.old_key}, {"with", options.new_key}};
  if (until) what["until"] = format_time(*until);
  change_trust(invocation, options.change, what, [&](TrustRoot& root) {
    const auto old = find_key(root, options.old_key);
    auto fresh = describe_key(options.new_key, old.role, old.owner);
    if (root.find(fresh.id) != nullptr) fail(ErrorCode::usage, "the key {} is listed already", fresh.id);
    retire_key(root, old.id, until);
    root.keys.push_back(std::move(fresh));
    require_one_key_each(root, old.role);
  });
}

}  // namespace

void add_trust_rotate(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("rotate", "Replace a key by a new one of the same role and owner");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->old_key, "Start of the old key's id, or its owner")->required();
  command->add_option("--with", options->new_key, "The new public key file, or gpg:FINGERPRINT")->required();
  add_until(*command, options->until);
  add_change_options(*command, options->change);
  command->footer(
      "What the old key signed and is still under way is refused (key-retired), unless --until lets it count for a "
      "while.\n"
      "A root key is rotated at once, with both: --root-key old.pem --root-key new.pem\n"
      "Example: liftlock trust rotate 1f0c9a33 --with builder-2027.pub --until 30d --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "rotate", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
