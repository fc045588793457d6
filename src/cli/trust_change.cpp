#include "cli/trust_change.hpp"
#include "cli/reason_option.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_folder.hpp"
#include "cli/config_record.hpp"
#include "cli/moment.hpp"
#include "cli/output_file.hpp"
#include "trust/key_file.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_statement = 1u << 20;
/// No document has a time from then on.
constexpr Timestamp k_year_10000 = std::chrono::sys_days(std::chrono::year(10000) / 1 / 1);

std::string state_of(const TrustedKey& key) {
  if (key.revoked_since) return fmt::format("revoked {}: {}", format_time(*key.revoked_since), key.revoked_reason);
  if (key.expires) return fmt::format("{} {}", now() >= *key.expires ? "expired" : "until", format_end(*key.expires));
  return "";
}

std::size_t keys_that_count(const TrustRoot& root, Role role, Timestamp when, std::string_view besides = {}) {
  return static_cast<std::size_t>(std::count_if(root.keys.begin(), root.keys.end(), [&](const auto& key) {
    return key.role == role && key.id != besides && !key.revoked_since && (!key.expires || *key.expires > when);
  }));
}

/// A role without a threshold may sign as soon as it has a key.
std::size_t wanted_keys(const TrustRoot& root, Role role) {
  const auto threshold = root.thresholds.find(role);
  return threshold == root.thresholds.end() ? 1 : threshold->second;
}

/// What nobody can do where the role has too few keys.
std::string_view what_ends(const TrustRoot& root, Role role) {
  const bool is_asked = root.thresholds.contains(role);
  switch (role) {
    case Role::root:
      break;  // a statement with too few of them is none
    case Role::builder:
      return "no bundle lands any more, neither a new one nor one that is under way";
    case Role::scanner:
      return is_asked ? "no bundle lands any more, and nothing can be withheld"
                      : "nothing can be withheld any more, and no model countersigned by a scanner";
    case Role::approver:
      return is_asked
                 ? "no bundle lands any more, neither a new one nor one that is under way"
                 : "nobody can approve any more: where the policy of a site wants approvals, no bundle lands, and no "
                   "model can be countersigned by an approver";
    case Role::ingest:
      return is_asked ? "`pack --since` takes no receipt and no request any more"
                      : "no receipt and no request can be signed any more";
  }
  return {};
}

/// From when on the role has too few keys, where that is by this change.
std::optional<Timestamp> ends_at(const TrustRoot& before, const TrustRoot& after, Role role, Timestamp when) {
  std::set<Timestamp> moments{when};
  for (const auto& key : after.keys) {
    if (key.role == role && key.expires && *key.expires > when) moments.insert(*key.expires);
  }
  const auto has_enough = [&](const TrustRoot& root, Timestamp moment) {
    return keys_that_count(root, role, moment) >= wanted_keys(root, role);
  };
  for (const auto moment : moments) {
    if (has_enough(before, moment) && !has_enough(after, moment)) return moment;
  }
  return std::nullopt;
}

/// What can no longer be done once the change is in force; for people.
std::vector<std::string> warnings_of(const TrustRoot& before, const TrustRoot& after, Timestamp when) {
  std::vector<std::string> out;
  for (const auto role : {Role::builder, Role::scanner, Role::approver, Role::ingest}) {
    const auto end = ends_at(before, after, role, when);
    if (!end) continue;
    const auto left = keys_that_count(after, role, *end);
    const auto keys = left == 0 ? fmt::format("no key of the role {} is left", name(role))
                                : fmt::format("{} keys of the role {} must sign, and what is left is {}",
                                              wanted_keys(after, role), name(role), left);
    out.push_back(fmt::format("{}, {}: {}; list another with `liftlock trust add-key FILE --role {}`",
                              *end > when ? fmt::format("from {} on", format_time(*end)) : "once this is in force",
                              keys, what_ends(after, role), name(role)));
  }
  return out;
}

/// Is it complete for the root that is pinned here, or, where none is, for itself?
std::size_t missing_signatures(const RootStatement& statement, const TrustStore& store) {
  const auto own = missing_root_signatures(statement, statement.root);
  if (store.empty()) return own;
  return std::max(own, missing_root_signatures(statement, store.current()));
}

/// Of these bundles the one whose chain goes furthest: an older one would follow only a part of it.
fs::path with_longest_chain(const std::vector<fs::path>& bundles) {
  const auto length = [](const fs::path& bundle) -> std::size_t {
    try {
      return TrustStore(bundle / "manifest" / "trust").statements().size();
    } catch (const std::exception&) {  // a medium may be rotten, and this only makes a hint better
      return 0;
    }
  };
  return *std::max_element(bundles.begin(), bundles.end(),
                           [&](const auto& a, const auto& b) { return length(a) < length(b); });
}

}  // namespace

std::optional<fs::path> ChangeOptions::passphrase_path() const {
  if (passphrase_file.empty()) return std::nullopt;
  return passphrase_file;
}

void add_change_options(CLI::App& command, ChangeOptions& options) {
  command
      .add_option("--root-key", options.root_keys,
                  "Private root key that signs the new version; repeat for a threshold")
      ->type_name("FILE");
  command.add_option("--passphrase-file", options.passphrase_file, "File whose first line unlocks the root keys")
      ->type_name("FILE");
  command.add_option(
      "--expires", options.expires,
      "When the new statement ends: 365d, a day like 2027-11-23 (to its end, UTC), a time, or never (default: as "
      "before)");
  add_reason(command, options.reason, "Why, for the audit log");
  command
      .add_option("--out", options.out,
                  "Where to write the statement while root signatures are missing; - for standard output")
      ->type_name("FILE");
}

std::optional<Timestamp> parse_expiry(const std::string& text) {
  if (text == "never") return std::nullopt;
  const auto duration = parse_duration(text);
  const auto begin = now();
  auto end = duration ? begin + *duration : parse_day_or_time(text, Day::ends);
  if (!end) {
    fail(ErrorCode::usage,
         "'{}' is neither a duration like 365d, nor a day like 2027-11-23, nor a time like 2027-11-23T06:00:00Z, nor "
         "never",
         printable(text));
  }
  if (end == k_year_10000) *end -= std::chrono::seconds(1);  // the end of the last day that a document can name
  if (*end > k_year_10000) fail(ErrorCode::usage, "'{}' is past the year 9999", printable(text));
  if (*end <= begin) fail(ErrorCode::usage, "'{}' is past: an end is a time to come", printable(text));
  return end;
}

void add_until(CLI::App& command, std::string& until) {
  command
      .add_option(
          "--until", until,
          "How long the old key goes on counting for what it signed and is under way: 30d, a day like 2026-12-31 "
          "(to its end, UTC), or a time")
      ->type_name("TIME");
}

std::optional<Timestamp> parse_until(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto until = parse_expiry(text);
  if (!until || *until <= now()) fail(ErrorCode::usage, "--until is a time to come, and not '{}'", printable(text));
  return until;
}

void retire_key(TrustRoot& root, const std::string& id, const std::optional<Timestamp>& until) {
  const auto key = std::find_if(root.keys.begin(), root.keys.end(), [&](const auto& one) { return one.id == id; });
  if (key->revoked_since) {
    throw Error(ErrorCode::usage, fmt::format("the key {} is revoked, and stays listed as such", id),
                "list the new key with `liftlock trust add-key`");
  }
  if (!until) {
    root.keys.erase(key);
    return;
  }
  if (key->role == Role::root) fail(ErrorCode::usage, "a root key retires at once: --until is for the other roles");
  if (key->expires && *key->expires <= *until) {
    fail(ErrorCode::usage, "the key {} ends at {} anyway", id, format_end(*key->expires));
  }
  key->expires = until;
}

void require_enough_keys(const TrustRoot& root, Role role, std::string_view besides) {
  const auto threshold = root.thresholds.find(role);
  if (threshold == root.thresholds.end()) return;
  const auto count = keys_that_count(root, role, now(), besides);
  if (count >= threshold->second) return;
  throw Error(ErrorCode::usage,
              fmt::format("{} of the {} keys must sign, and there would be {}: nobody could sign any more",
                          threshold->second, name(role), count),
              fmt::format("list another key first (`liftlock trust add-key FILE --role {}`), use `liftlock trust "
                          "rotate`, or lower the threshold",
                          name(role)));
}

void require_one_key_each(const TrustRoot& root, Role role) {
  const auto threshold = root.thresholds.find(role);
  if (threshold == root.thresholds.end() || threshold->second < 2) return;
  for (const auto& old : root.keys) {
    if (old.role != role || old.revoked_since || !old.expires || *old.expires <= now()) continue;
    const bool has_another = std::any_of(root.keys.begin(), root.keys.end(), [&](const auto& other) {
      return other.id != old.id && other.role == role && other.owner == old.owner && !other.revoked_since;
    });
    if (!has_another) continue;
    throw Error(ErrorCode::usage,
                fmt::format("{} of the {} keys must sign, and {} would have two of them until {}", threshold->second,
                            name(role), printable(old.owner), format_end(*old.expires)),
                "replace the old key at once, without --until, and have what is under way signed again");
  }
}

Role require_role(const std::string& text) {
  if (const auto role = parse_role(text)) return *role;
  fail(ErrorCode::usage, "'{}' is no role; the roles are root, builder, scanner, approver and ingest", text);
}

TrustedKey& find_key(TrustRoot& root, const std::string& text) {
  constexpr std::size_t k_shortest = 8;
  const auto begins = to_lower(text);
  std::vector<TrustedKey*> found;
  for (auto& key : root.keys) {
    if ((text.size() >= k_shortest && to_lower(key.id).starts_with(begins)) || key.owner == text) found.push_back(&key);
  }
  if (found.size() == 1) return *found.front();
  if (found.size() > 1) fail(ErrorCode::usage, "'{}' names {} keys; give the start of the key id", text, found.size());
  if (text.size() < k_shortest) {
    fail(ErrorCode::usage, "'{}' is the owner of no key, and of a key id at least {} digits are needed", text,
         k_shortest);
  }
  throw Error(ErrorCode::not_found, fmt::format("the trust root lists no key '{}'", text), "see `liftlock trust show`");
}

std::vector<std::string> read_chain(const fs::path& path) {
  if (!fs::exists(path)) {
    throw Error(ErrorCode::not_found, fmt::format("there is nothing at '{}'", path.string()),
                "name a root statement (N.root.json), a folder of them, or a bundle");
  }
  if (!fs::is_directory(path)) return {read_file(path, k_max_statement)};
  const auto inside = path / "manifest" / "trust";
  auto chain = TrustStore(fs::is_directory(inside) ? inside : path).statements();
  if (chain.empty()) {
    const auto below = bundles_below(path);
    throw Error(ErrorCode::trust_missing, fmt::format("there is no root statement in '{}'", path.string()),
                below.empty() ? "" : fmt::format("name a bundle: '{}'", printable(with_longest_chain(below).string())));
  }
  return chain;
}

void record_trust(Invocation& invocation, const std::string& type, Outcome outcome, const std::string& subject,
                  const Json& detail) {
  const auto site = invocation.site();
  if (!site.exists()) return;
  require_audit_log(site);
  AuditLog(site.audit_folder(), "")
      .append(AuditEvent{.type = type,
                         .actor = invocation.actor(),
                         .outcome = outcome,
                         .subject = subject,
                         .detail = dump_json_line(detail)});
}

void mark_followed(Invocation& invocation, TrustMark change, const std::vector<std::string>& brought) {
  const auto site = invocation.site();
  if (!site.exists()) return;
  try {
    mark_trust(site, AuditLog::open_to_read(site.audit_folder()), change, brought);
  } catch (const Error& error) {
    invocation.reporter().warn(
        fmt::format("it is followed, and the catalog has no mark of it: {}", printable(error.message())));
  }
}

void recorded_change(Invocation& invocation, const std::string& type, const std::string& change,
                     const std::function<void()>& run) {
  record_config(invocation, invocation.site());
  try {
    run();
  } catch (Error& error) {
    const Json detail = {{"change", change},
                         {"error", info(error.code()).slug},
                         {"message", printable(std::string_view(error.what()).substr(0, 4000))}};
    try {
      record_trust(invocation, type, Outcome::failure, change, detail);
    } catch (const std::exception& second) {
      error.add_context(fmt::format("and the failure could not be recorded: {}", second.what()));
    }
    throw;
  }
}

/// Of two drafts of one version both may find signers, and then the chain forks.
void warn_of_other_draft(Invocation& invocation, const TrustRoot& root) {
  const auto site = invocation.site();
  if (!site.exists()) return;
  std::string other;
  const auto log = AuditLog::open_to_read(site.audit_folder());
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type != "trust.draft" || entry.event.outcome != Outcome::success) return true;
    if (parse_json(entry.event.detail).value("version", std::uint64_t{0}) != root.version) return true;
    if (entry.event.subject != root.fingerprint.text())
      other = fmt::format("{} of {}", entry.event.subject, format_time(entry.time));
    return true;
  });
  if (other.empty()) return;
  invocation.reporter().warn(
      fmt::format("another draft of version {} went through here, {}: only one of them may be signed, else the chain "
                  "forks and is refused everywhere",
                  root.version, other));
}

void finish_statement(Invocation& invocation, const RootStatement& statement, const fs::path& pending, Json what,
                      Pin may_pin) {
  const auto site = invocation.site();
  TrustStore store(site.trust_folder());
  const auto bytes = encode_root(statement);
  const auto missing = missing_signatures(statement, store);
  const auto& root = statement.root;
  what["version"] = root.version;
  what["fingerprint"] = root.fingerprint.text();
  warn_of_other_draft(invocation, root);
  if (missing > 0 || !site.exists() || (store.empty() && may_pin == Pin::no)) {
    make_folders(fs::absolute(pending).parent_path());
    record_trust(invocation, "trust.draft", Outcome::intent, root.fingerprint.text(), what);
    write_output(pending, bytes);
    record_trust(invocation, "trust.draft", Outcome::success, root.fingerprint.text(), what);
    if (is_standard_output(pending.string())) return;
    what["missing_signatures"] = missing;
    what["file"] = pending.string();
    invocation.print(what, [&] {
      if (missing == 0)
        return fmt::format("version {} is complete in {}; follow it with `liftlock trust {}`", root.version,
                           pending.string(), root.version == 1 ? "pin" : "update");
      return fmt::format(
          "version {} still lacks {} root signature(s): {}\nadd one with `liftlock trust sign-root {} --root-key KEY`",
          root.version, missing, pending.string(), pending.string());
    });
    return;
  }
  const std::string type = store.empty() ? "trust.pin" : "trust.update";
  record_trust(invocation, type, Outcome::intent, root.fingerprint.text(), what);
  if (store.empty()) {
    store.pin(bytes, root.fingerprint);
  } else {
    noting_forks(site, {bytes}, invocation.actor(), [&] { store.follow({bytes}, now()); });
  }
  record_trust(invocation, type, Outcome::success, root.fingerprint.text(), what);
  mark_followed(invocation);
  invocation.print(what, [&] {
    return fmt::format("root statement {} of {} is in force\nfingerprint {}", root.version,
                       printable(root.organisation), root.fingerprint.spoken());
  });
}

void change_trust(Invocation& invocation, const ChangeOptions& options, Json what,
                  const std::function<void(TrustRoot&)>& edit) {
  const auto site = invocation.site();
  site.require_zone("trust", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  const auto before = trust_of(site).current();
  auto root = before;
  ++root.version;
  root.created = now();
  if (!options.expires.empty()) root.expires = parse_expiry(options.expires);
  edit(root);
  const auto warnings = warnings_of(before, root, root.created);
  for (const auto& one : warnings) invocation.reporter().warn(one);
  if (!warnings.empty()) what["warnings"] = warnings;
  if (root.expires && *root.expires <= root.created) {
    throw Error(ErrorCode::usage, "the pinned root statement has expired, and the next one needs a new end",
                "give --expires 365d, or never");
  }
  auto statement = draft_root(root);
  for (const auto& key : options.root_keys) sign_root(statement, load_private_key(key, options.passphrase_path()));
  const auto pending = options.out.empty() ? site.trust_folder() / "pending" / fmt::format("{}.root.json", root.version)
                                           : fs::path(options.out);
  if (!options.reason.empty()) what["reason"] = options.reason;
  finish_statement(invocation, statement, pending, std::move(what));
}

Json root_json(const TrustRoot& root) {
  auto keys = Json::array();
  for (const auto& key : root.keys) {
    Json json{{"id", key.id},
              {"type", name(key.type)},
              {"role", name(key.role)},
              {"owner", key.owner},
              {"public_key", key.public_key}};
    if (key.expires) json["expires"] = format_time(*key.expires);
    if (key.revoked_since)
      json["revoked"] = {{"since", format_time(*key.revoked_since)}, {"reason", key.revoked_reason}};
    keys.push_back(std::move(json));
  }
  auto thresholds = Json::object();
  for (const auto& [role, count] : root.thresholds) thresholds[std::string(name(role))] = count;
  Json json{{"organisation", root.organisation},    {"version", root.version}, {"fingerprint", root.fingerprint.text()},
            {"created", format_time(root.created)}, {"keys", std::move(keys)}, {"thresholds", std::move(thresholds)}};
  if (root.expires) json["expires"] = format_time(*root.expires);
  return json;
}

std::string root_text(const TrustRoot& root) {
  std::string out = fmt::format("{}, root statement {}\nfingerprint {}\ncreated {}, {}\n", printable(root.organisation),
                                root.version, root.fingerprint.spoken(), format_time(root.created),
                                root.expires ? "expires at " + format_end(*root.expires) : "never expires");
  for (const auto& [role, count] : root.thresholds)
    out += fmt::format("{} of the {} keys must sign\n", count, name(role));
  std::vector<std::vector<std::string>> rows{{"ROLE", "KEY", "TYPE", "OWNER", "STATE"}};
  for (const auto& key : root.keys) {
    rows.push_back({std::string(name(key.role)), key.id.substr(0, 16), std::string(name(key.type)),
                    printable(key.owner), printable(state_of(key))});
  }
  std::sort(rows.begin() + 1, rows.end());
  return out + format_table(rows);
}

}  // namespace liftlock
