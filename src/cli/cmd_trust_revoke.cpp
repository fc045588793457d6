#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/packed.hpp"
#include "cli/commands.hpp"
#include "cli/disbelieved.hpp"
#include "cli/moment.hpp"
#include "cli/signing.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

/// In the audit log's detail and on the screen.
constexpr std::size_t k_max_named = 100;

struct Options {
  std::string key;
  std::string since;
  ChangeOptions change;
};

Timestamp parse_since(const std::string& text) {
  if (text.empty()) return now();
  const auto since = parse_moment(text, "--since", Day::begins);
  if (since > now()) {
    throw Error(ErrorCode::usage, fmt::format("--since {} is a time to come", text),
                "a revocation counts at once; a key that goes on for a while retires: `liftlock trust retire --until`");
  }
  return since;
}

/// What the key signed here, by the audit log of this machine: "demo/7", or the digest of what was not packed here.
std::set<std::string> signed_here(const Site& site, const std::string& key_id) {
  std::set<std::string> out;
  const auto log = AuditLog::open_to_read(site.audit_folder());
  std::map<std::string, std::string> packed;
  for (const auto& [channel, bundles] : packed_bundles(log)) {
    for (const auto& [sequence, bundle] : bundles) packed[bundle.digest.text()] = packed_subject(channel, sequence);
  }
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type != k_sign_event || entry.event.outcome != Outcome::success) return true;
    if (parse_json(entry.event.detail).value("key_id", "") != key_id) return true;
    const auto found = packed.find(entry.event.subject);
    out.insert(found != packed.end() ? found->second : entry.event.subject);
    return true;
  });
  return out;
}

/// What is in use here only because this key signed it.
std::set<std::string> in_use_here(const Site& site, TrustRoot root, const std::string& key_id, Reporter& reporter) {
  std::set<std::string> out;
  if (!fs::exists(site.catalog_file())) return out;
  for (auto& key : root.keys) {
    key.revoked_since.reset();
    if (key.id == key_id) key.revoked_since = now();
  }
  const auto found = disbelieved(Catalog(site.catalog_file(), Access::read), BlobStore(site.store_folder()), root);
  for (const auto& [publication, why] : found.revoked)
    out.insert(fmt::format("{}/{}", publication.channel, publication.sequence));
  for (const auto& [publication, why] : found.unjudged) {
    reporter.warn(fmt::format("whether the key signed it cannot be said of {}/{}: {}", printable(publication.channel),
                              publication.sequence, printable(why)));
  }
  return out;
}

Json first_of(const std::set<std::string>& names) {
  auto out = Json::array();
  for (const auto& name : names) {
    if (out.size() < k_max_named) out.push_back(name);
  }
  return out;
}

void say(Reporter& reporter, std::string_view what, const std::set<std::string>& names, std::string_view then) {
  if (names.empty()) return;
  std::vector<std::string> shown;
  for (const auto& name : names) {
    if (shown.size() < k_max_named) shown.push_back(printable(name));
  }
  reporter.warn(fmt::format("{} {}: {}{}; {}", what, counted(names.size(), "bundle"), fmt::join(shown, ", "),
                            names.size() > shown.size() ? " …" : "", then));
}

/// A key that retired may turn out stolen: it is listed again, as revoked.
void list_retired_again(TrustRoot& root, const std::string& text) {
  for (const auto& key : root.retired) {
    if ((text.size() >= 8 && key.id.starts_with(text)) && root.find(key.id) == nullptr) {
      root.keys.push_back(key);
      root.keys.back().expires.reset();
      return;
    }
  }
}

/// A courtesy: what cannot be listed does not keep a key from being revoked.
std::set<std::string> listed(const Invocation& invocation, const std::function<std::set<std::string>()>& list) {
  try {
    return list();
  } catch (const std::exception& error) {
    invocation.reporter().warn(fmt::format("what the key signed could not be listed: {}", error.what()));
    return {};
  }
}

void run(Invocation& invocation, const Options& options) {
  if (options.change.reason.empty()) fail(ErrorCode::reason_required, "a revocation says why");
  const auto site = invocation.site();
  site.require_zone("trust", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  const auto since = parse_since(options.since);
  auto root = trust_of(site).current();
  list_retired_again(root, options.key);
  const auto id = find_key(root, options.key).id;
  const auto made = listed(invocation, [&] { return signed_here(site, id); });
  const auto used = listed(invocation, [&] { return in_use_here(site, root, id, invocation.reporter()); });
  const Json what{{"change", "revoke"},
                  {"key", id},
                  {"since", format_time(since)},
                  {"signed_here", first_of(made)},
                  {"in_use_here", first_of(used)}};
  change_trust(invocation, options.change, what, [&](TrustRoot& next) {
    list_retired_again(next, id);
    auto& key = find_key(next, id);
    if (key.revoked_since) fail(ErrorCode::usage, "the key {} is revoked already", key.id);
    key.revoked_since = since;
    key.revoked_reason = options.change.reason;
  });
  say(invocation.reporter(), "the key signed here", made, "have them signed anew by another key");
  say(invocation.reporter(), "the key signed what is in use here", used,
      "take it out of use with `liftlock retire --revoked`");
}

}  // namespace

void add_trust_revoke(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("revoke", "Revoke a key: whatever it signed, at any time, is refused from then on");
  auto options = std::make_shared<Options>();
  command->add_option("KEY", options->key, "Start of the key id, or its owner")->required();
  command
      ->add_option(
          "--since", options->since,
          "Since when it must be doubted, for people: 2026-11-01 (from its begin, UTC), a time, or how long ago "
          "like 30d (default: now)")
      ->type_name("TIME");
  add_change_options(*command, options->change);
  command->footer(
      "Lists what the key signed on this machine, and what is in use here that it signed; where that is served, "
      "`liftlock\n"
      "retire --revoked` takes it out of use.\n"
      "Example: liftlock trust revoke 1f0c9a33 --since 2026-11-01 --reason 'laptop stolen' --root-key root.pem");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "revoke", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
