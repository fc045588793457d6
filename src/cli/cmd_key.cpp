#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "access/key_ring.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/key_standing.hpp"
#include "cli/key_view.hpp"
#include "cli/reason_option.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/trust_change.hpp"
#include "cli/whole_number.hpp"
#include "crypto/hash.hpp"
#include "engine/choices.hpp"
#include "engine/load_gate.hpp"
#include "record/record_policy.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct AddOptions {
  ApiKey key;
  std::string role = "viewer";
  std::string rate;
  std::string expires;
};

/// "60/min", or "60".
unsigned parse_rate(std::string_view text) {
  const auto number = parse_uint(text.substr(0, text.find('/')));
  const auto unit = text.find('/') == std::string_view::npos ? "/min" : text.substr(text.find('/'));
  if (!number || *number == 0 || *number > 1'000'000 || unit != "/min") {
    fail(ErrorCode::usage, "'{}' is no rate from 1/min to 1000000/min", printable(text));
  }
  return static_cast<unsigned>(*number);
}

/// Who sets a limit must not believe that it holds where nothing looks at it.
void refuse_limits_of_auditor(const AddOptions& options) {
  const auto& key = options.key;
  const auto refuse = [](bool given, std::string_view option) {
    if (!given) return;
    throw Error(ErrorCode::usage,
                fmt::format("{} says nothing of an auditor's key: it asks no models, and reads every record", option),
                "leave it out; an end (--expires) holds for every key");
  };
  refuse(!key.models.empty(), "--model");
  refuse(!options.rate.empty(), "--rate");
  refuse(key.limits.tokens_per_minute > 0, "--tokens-per-minute");
  refuse(key.limits.tokens_per_day > 0, "--tokens-per-day");
  refuse(!key.label.empty(), "--label");
  refuse(!key.record.empty(), "--record");
}

ApiKey key_of(const AddOptions& options) {
  auto key = options.key;
  const auto role = parse_user_role(options.role);
  if (!role) {
    fail(ErrorCode::usage, "'{}' is no role; the roles are viewer, operator, admin and auditor",
         printable(options.role));
  }
  if (*role == UserRole::auditor) refuse_limits_of_auditor(options);
  key.id = KeyRing::new_id();
  key.role = *role;
  key.created = now();
  if (!key.record.empty() && !parse_record_mode(key.record)) {
    fail(ErrorCode::usage, "'{}' is no mode of the record: full, hash-only or off", printable(key.record));
  }
  if (!options.rate.empty()) key.limits.requests_per_minute = parse_rate(options.rate);
  if (!options.expires.empty()) key.expires = parse_expiry(options.expires);
  return key;
}

Site site_for(Invocation& invocation, std::string_view command) {
  auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  return site;
}

void require_label(const SiteConfig& config, const std::string& label) {
  const auto& known = config.labels;
  if (label.empty() || std::find(known.begin(), known.end(), label) != known.end()) return;
  throw Error(ErrorCode::usage, fmt::format("'{}' is no label of this site", printable(label)),
              known.empty() ? "name them under [labels] of config.toml"
                            : fmt::format("its labels are {}", fmt::join(known, ", ")));
}

/// What keys may be for: models of the store by their names in the catalog, and of pools as POOL/MODEL.
std::vector<std::string> known_models(const Site& site) {
  std::vector<std::string> out;
  if (fs::exists(site.catalog_file())) {
    for (const auto& artifact : Catalog(site.catalog_file(), Access::read).artifacts()) {
      if (artifact.kind == "model") out.push_back(artifact.name);
    }
  }
  for (const auto& [pool, config] : site.config().pools) {
    for (const auto& [model, elsewhere] : config.models) out.push_back(fmt::format("{}/{}", pool, model));
  }
  return out;
}

/// The name of the model that an alias of this name leads to; empty where there is none.
std::string behind_alias(const Site& site, const std::string& name) {
  const engine::Choices aliases(site.aliases_file());
  if (!aliases.current(name)) return "";
  try {
    return engine::require_model(Catalog(site.catalog_file(), Access::read), aliases, name).name;
  } catch (const Error&) {
    return "";  // it leads nowhere any more
  }
}

/// A key may be made before its model comes; a name that was mistyped would be refused at every request, without a word
/// of why.
void warn_of_unknown_models(Invocation& invocation, const Site& site, const std::vector<std::string>& patterns) {
  const auto known = known_models(site);
  const std::vector<std::string_view> names(known.begin(), known.end());
  for (const auto& pattern : patterns) {
    if (pattern == "*") continue;
    if (std::any_of(known.begin(), known.end(), [&](const auto& one) { return matches_glob(pattern, one); })) continue;
    auto words = fmt::format("there is no model '{}' here; the key is for one that may come", printable(pattern));
    if (const auto model = behind_alias(site, pattern); !model.empty()) {
      words = fmt::format("'{}' is an alias, and keys are for models: give --model {}", printable(pattern),
                          printable(model));
    } else if (const auto meant = nearest(pattern, names)) {
      words += fmt::format(", and '{}' is the nearest that is", printable(*meant));
    }
    invocation.reporter().warn(words);
  }
}

/// The only time that the secret is shown.
void hand_over(Invocation& invocation, const ApiKey& key, const std::string& secret) {
  auto json = key_json(key);
  json["secret"] = secret;
  bool to_people = false;
  invocation.print(json, [&] {
    to_people = true;
    return secret;
  });
  // Once it is shown: where it cannot be written, there is no such key.
  if (!to_people) return;
  invocation.reporter().note(fmt::format("{} of {}; this is the only time that the key is shown, stored is its hash",
                                         key.id, printable(key.user)));
}

void run_add(Invocation& invocation, const AddOptions& options) {
  const auto site = site_for(invocation, "key add");
  const auto key = key_of(options);
  KeyRing::require_valid(key);
  require_label(site.config(), key.label);
  warn_of_unknown_models(invocation, site, key.models);
  record_config(invocation, site);
  const auto secret = KeyRing::new_secret();
  recorded_effect(invocation, "key.add", key.id, key_entry(key, sha256(secret)), [&] {
    KeyRing ring(access_file(site));
    // First it is out, and then it is valid: where it could not be written, or nobody reads, there is no key that
    // nobody has. Not within a transaction of the ring: a terminal that waits would keep the server from it.
    hand_over(invocation, key, secret);
    ring.add(key, secret);
  });
}

void run_ls(Invocation& invocation) {
  const auto file = access_file(site_for(invocation, "key ls"));
  const std::string none = "no key is here: `liftlock key add USER`";
  if (!fs::exists(file)) return invocation.print(Json::array(), [&] { return none; });
  const KeyRing ring(file, Access::read);
  const auto json = keys_json(ring);
  invocation.print(json, [&] { return json.empty() ? none : key_table(ring.list(), ring.unreadable()); });
}

/// A damaged log must not keep anybody from revoking a key that is here: it is asked of others only.
bool has_key(const Site& site, const std::string& id) {
  return fs::exists(access_file(site)) && KeyRing(access_file(site), Access::read).contains(id);
}

bool is_lost_key(const std::string& id, const KeyStanding& standing) {
  return std::any_of(standing.lost.begin(), standing.lost.end(), [&](const auto& key) { return key.id == id; });
}

void run_revoke(Invocation& invocation, const std::string& id, const std::string& reason) {
  if (reason.empty()) fail(ErrorCode::reason_required, "a revocation says why");
  const auto site = site_for(invocation, "key revoke");
  record_config(invocation, site);
  const bool is_lost = !has_key(site, id) && is_lost_key(id, key_standing(site, open_audit_log(invocation)));
  recorded_effect(invocation, "key.revoke", id, {{"reason", reason}}, [&] {
    if (!is_lost) KeyRing(access_file(site)).revoke(id, now(), reason);  // else its end is on record, and that is all
  });
  invocation.print({{"id", id}, {"reason", reason}},
                   [&] { return fmt::format("{} is revoked; a running server refuses it within a second", id); });
}

void add_key_add(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("add", "Make a key for a user, and show its secret once");
  auto options = std::make_shared<AddOptions>();
  auto& key = options->key;
  command->add_option("USER", key.user, "Whose key it is, as records and logs name it")->required();
  command->add_option("--role", options->role, "What its user may do")
      ->type_name("{viewer,operator,admin,auditor}")
      ->capture_default_str();
  command
      ->add_option("--model", key.models,
                   "A model that it is for, '*' for any run of characters; repeat (default: all)")
      ->type_name("NAME");
  command->add_option("--rate", options->rate, "Requests a minute, as 60/min (default: no limit)")->type_name("N/min");
  const auto whole = whole_number(1, k_max_exact);
  command->add_option("--tokens-per-minute", key.limits.tokens_per_minute, "Tokens a minute (default: no limit)")
      ->check(whole);
  command->add_option("--tokens-per-day", key.limits.tokens_per_day, "Tokens a day of UTC (default: no limit)")
      ->check(whole);
  command->add_option("--expires", options->expires,
                      "When it ends: 90d, a day like 2027-01-31 (to its end, UTC), a time, or never (default)");
  command->add_option("--label", key.label, "One of the labels of config.toml: it asks models of it and below");
  command->add_option("--record", key.record, "How its prompts and answers are recorded: full, hash-only or off")
      ->type_name("{full,hash-only,off}");
  command->add_option("--note", key.note, "What it is for, for people");
  command->footer("Example: liftlock key add ada --model 'demo*' --rate 60/min --expires 90d --note laptop");
  command->callback([&invocation, options] { run_add(invocation, *options); });
}

void add_key_ls(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ls", "List the keys, their limits and their state");
  command->footer("Example: liftlock key ls --json");
  command->callback([&invocation] { run_ls(invocation); });
}

void add_key_revoke(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("revoke", "Revoke a key: a running server refuses it within a second");
  auto id = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  command->add_option("ID", *id, "Its id, as `liftlock key ls` shows it")->required();
  add_reason(*command, *reason, "Why, for the audit log");
  command->footer("Example: liftlock key revoke key_1f0c9a33b2d4 --reason 'laptop stolen'");
  command->callback([&invocation, id, reason] { run_revoke(invocation, *id, *reason); });
}

}  // namespace

void add_key(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("key", "Keys of those who ask models: roles, models, rates, expiry");
  group->require_subcommand(1);
  for (const auto add : {add_key_add, add_key_ls, add_key_revoke}) add(*group, invocation);
  group->footer("Format and rules: docs/formats/access.md");
}

}  // namespace liftlock
