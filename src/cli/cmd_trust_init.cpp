#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"
#include "trust/key_file.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string organisation;
  std::vector<std::string> root_public;
  std::vector<std::string> add;
  std::vector<std::string> thresholds;
  ChangeOptions change;
};

void list_key(TrustRoot& root, TrustedKey key) {
  if (root.find(key.id) != nullptr)
    fail(ErrorCode::usage, "the key {} is given twice; a key has exactly one role", key.id);
  root.keys.push_back(std::move(key));
}

/// "builder:FILE" → builder, FILE; FILE may be gpg:FINGERPRINT.
std::pair<Role, std::string> split_role(const std::string& text) {
  const auto colon = text.find(':');
  if (colon == std::string::npos) fail(ErrorCode::usage, "'{}' must be ROLE:FILE, as in builder:builder.pem.pub", text);
  return {require_role(text.substr(0, colon)), text.substr(colon + 1)};
}

TrustRoot first_root(const Options& options, const std::vector<PrivateKey>& root_keys) {
  TrustRoot root;
  root.organisation = options.organisation;
  root.version = 1;
  root.created = now();
  if (!options.change.expires.empty()) root.expires = parse_expiry(options.change.expires);
  root.thresholds = {{Role::root, 1}, {Role::builder, 1}};
  for (std::size_t i = 0; i < root_keys.size(); ++i) {
    const auto& key = root_keys[i].public_key();
    TrustedKey listed;
    listed.id = key.id();
    listed.type = parse_key_type(name(key.algorithm())).value();
    listed.role = Role::root;
    listed.owner = fs::path(options.change.root_keys[i]).filename().string();
    listed.public_key = key.pem();
    list_key(root, std::move(listed));
  }
  for (const auto& file : options.root_public) list_key(root, describe_key(file, Role::root, ""));
  for (const auto& text : options.add) {
    const auto [role, key] = split_role(text);
    list_key(root, describe_key(key, role, ""));
  }
  for (const auto& text : options.thresholds) {
    const auto [role, count] = split_role(text);
    const auto number = parse_uint(count);
    if (!number || *number < 1 || *number > 64) fail(ErrorCode::usage, "the threshold in '{}' must be 1 to 64", text);
    root.thresholds[role] = static_cast<unsigned>(*number);
  }
  return root;
}

/// A root of its own is right for a site that takes in what others packed; it is easily taken for the way to get
/// bundles.
void warn_of_two_roots(const Site& site, Reporter& reporter) {
  if (!site.exists() || (site.config().zone != Zone::ingest && site.config().zone != Zone::production)) return;
  reporter.warn(
      "bundles of a low side are judged by that side's root: `liftlock trust pin BUNDLE`; a root that is made here is "
      "for a site without one, which imports what others packed and countersigns models");
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  if (!trust_of(site).empty()) {
    throw Error(ErrorCode::immutable, "this installation already trusts a root",
                "change it with trust add-key, revoke, rotate …");
  }
  if (!site.exists() && options.change.out.empty()) site.require_zone("trust init", {});
  warn_of_two_roots(site, invocation.reporter());
  std::vector<PrivateKey> root_keys;
  for (const auto& file : options.change.root_keys)
    root_keys.push_back(load_private_key(file, options.change.passphrase_path()));
  auto statement = draft_root(first_root(options, root_keys));
  for (const auto& key : root_keys) sign_root(statement, key);
  const auto pending =
      options.change.out.empty() ? site.trust_folder() / "pending" / "1.root.json" : fs::path(options.change.out);
  finish_statement(invocation, statement, pending, {{"change", "init"}, {"organisation", options.organisation}});
}

}  // namespace

void add_trust_init(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("init", "Make the first root statement of an organisation, and pin it here");
  auto options = std::make_shared<Options>();
  command->add_option("--organisation", options->organisation, "Whose keys these are; stays for the whole chain")
      ->required();
  command->add_option("--add", options->add, "ROLE:FILE or ROLE:gpg:FINGERPRINT; repeat")->type_name("ROLE:KEY");
  command->add_option("--root-public", options->root_public, "Root key that signs later, elsewhere (trust sign-root)")
      ->type_name("FILE");
  command->add_option("--threshold", options->thresholds, "ROLE:N; root and builder are 1 unless said")
      ->type_name("ROLE:N");
  add_change_options(*command, options->change);
  command->footer(
      "Once for an organisation: on its low side, or on a machine for the keys alone. A high side pins that root\n"
      "(`liftlock trust pin`); it makes one only where no low side packs bundles for it, and then believes\n"
      "by it who signs what it imports, and who countersigns its models.\n"
      "Example: liftlock trust init --organisation 'Plant 4' --root-key root.pem \\\n"
      "           --add builder:builder.pem.pub --add approver:gpg:0123456789ABCDEF0123456789ABCDEF01234567 "
      "--threshold approver:1");
  command->callback(
      [&invocation, options] { recorded_change(invocation, "trust.pin", "init", [&] { run(invocation, *options); }); });
}

}  // namespace liftlock
