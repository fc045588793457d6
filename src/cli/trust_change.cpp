#include "cli/trust_change.hpp"
#include "cli/reason_option.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/config_record.hpp"
#include "trust/key_file.hpp"

namespace liftlock {
namespace {

constexpr std::uint64_t k_max_statement = 1u << 20;

std::string state_of(const TrustedKey& key) {
  if (key.revoked_since) return fmt::format("revoked {}: {}", format_time(*key.revoked_since), key.revoked_reason);
  if (key.expires) return fmt::format("{} {}", now() >= *key.expires ? "expired" : "until", format_time(*key.expires));
  return "";
}

/// Is it complete for the root that is pinned here, or, where none is, for itself?
std::size_t missing_signatures(const RootStatement& statement, const TrustStore& store) {
  const auto own = missing_root_signatures(statement, statement.root);
  if (store.empty()) return own;
  return std::max(own, missing_root_signatures(statement, store.current()));
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
  command.add_option("--expires", options.expires,
                     "When the new statement ends: 365d, a time, or never (default: as before)");
  add_reason(command, options.reason, "Why, for the audit log");
  command.add_option("--out", options.out, "Where to write the statement while root signatures are missing")
      ->type_name("FILE");
}

std::optional<Timestamp> parse_expiry(const std::string& text) {
  if (text == "never") return std::nullopt;
  if (const auto duration = parse_duration(text)) return now() + *duration;
  try {
    return parse_time(text);
  } catch (const Error&) {
    fail(ErrorCode::usage, "'{}' is neither a duration like 365d, nor a time like 2027-11-23T06:00:00Z, nor never",
         text);
  }
}

Role require_role(const std::string& text) {
  if (const auto role = parse_role(text)) return *role;
  fail(ErrorCode::usage, "'{}' is no role; the roles are root, builder, scanner, approver and ingest", text);
}

TrustedKey& find_key(TrustRoot& root, const std::string& text) {
  std::vector<TrustedKey*> found;
  for (auto& key : root.keys) {
    if ((text.size() >= 8 && key.id.starts_with(text)) || key.owner == text) found.push_back(&key);
  }
  if (found.size() == 1) return *found.front();
  if (found.empty()) {
    throw Error(ErrorCode::not_found, fmt::format("the trust root lists no key '{}'", text),
                "see `liftlock trust show`");
  }
  fail(ErrorCode::usage, "'{}' names {} keys; give the start of the key id", text, found.size());
}

std::vector<std::string> read_chain(const fs::path& path) {
  if (!fs::exists(path)) fail(ErrorCode::not_found, "there is nothing at '{}'", path.string());
  if (!fs::is_directory(path)) return {read_file(path, k_max_statement)};
  const auto inside = path / "manifest" / "trust";
  auto chain = TrustStore(fs::is_directory(inside) ? inside : path).statements();
  if (chain.empty()) fail(ErrorCode::trust_missing, "there is no root statement in '{}'", path.string());
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

void finish_statement(Invocation& invocation, const RootStatement& statement, const fs::path& pending, Json what,
                      Pin may_pin) {
  const auto site = invocation.site();
  TrustStore store(site.trust_folder());
  const auto bytes = encode_root(statement);
  const auto missing = missing_signatures(statement, store);
  const auto& root = statement.root;
  what["version"] = root.version;
  what["fingerprint"] = root.fingerprint.text();
  if (missing > 0 || !site.exists() || (store.empty() && may_pin == Pin::no)) {
    make_folders(fs::absolute(pending).parent_path());
    record_trust(invocation, "trust.draft", Outcome::intent, root.fingerprint.text(), what);
    write_file_atomically(pending, bytes);
    record_trust(invocation, "trust.draft", Outcome::success, root.fingerprint.text(), what);
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
    store.follow({bytes}, now());
  }
  record_trust(invocation, type, Outcome::success, root.fingerprint.text(), what);
  invocation.print(what, [&] {
    return fmt::format("root statement {} of {} is in force\nfingerprint {}", root.version,
                       printable(root.organisation), root.fingerprint.spoken());
  });
}

void change_trust(Invocation& invocation, const ChangeOptions& options, Json what,
                  const std::function<void(TrustRoot&)>& edit) {
  const auto site = invocation.site();
  site.require_zone("trust", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  auto root = TrustStore(site.trust_folder()).current();
  ++root.version;
  root.created = now();
  if (!options.expires.empty()) root.expires = parse_expiry(options.expires);
  edit(root);
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
                                root.expires ? "expires " + format_time(*root.expires) : "never expires");
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
