// What the trust commands share: naming keys and times, finding statements, and turning an edit of the root into its
// next signed version.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "bundle/trust_mark.hpp"
#include "cli/command.hpp"
#include "trust/logged_trust.hpp"
#include "trust/root_statement.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// The options of every command that makes a root statement.
struct ChangeOptions {
  std::vector<std::string> root_keys;
  std::string passphrase_file;
  std::string expires;
  std::string reason;
  std::string out;
  std::optional<fs::path> passphrase_path() const;
};
void add_change_options(CLI::App& command, ChangeOptions& options);

/// "365d", "2027-11-23" (the end of that day, UTC), "2027-11-23T06:00:00Z" or "never". @throws Error{usage},
/// also for a time that is past
std::optional<Timestamp> parse_expiry(const std::string& text);
/// `--until`: how long a key that is replaced or retired goes on counting, for what is under way.
void add_until(CLI::App& command, std::string& until);
/// nullopt for an empty text: at once. @throws Error{usage} for a time that is past, and for "never"
std::optional<Timestamp> parse_until(const std::string& text);
/// Takes the key out of the statement, or gives it an end. @throws Error{usage} for a revoked one, for a root key with
/// an end, and when the key ends earlier anyway
void retire_key(TrustRoot& root, const std::string& id, const std::optional<Timestamp>& until);
/// @throws Error{usage} when the keys of the role that count, `besides` one, are fewer than its threshold
void require_enough_keys(const TrustRoot& root, Role role, std::string_view besides = {});
/// @throws Error{usage} when one person would count twice for a threshold: with a key that ends, and the one after it
void require_one_key_each(const TrustRoot& root, Role role);

Role require_role(const std::string& text);
/// By the start of its id (8 digits at least) or by its owner. @throws Error{not_found, usage}
TrustedKey& find_key(TrustRoot& root, const std::string& text);
/// A statement file, a folder of N.root.json, or a bundle: its chain, oldest first. @throws Error{not_found,
/// trust_missing}
std::vector<std::string> read_chain(const fs::path& path);

/// Writes to the audit log of the installation; does nothing where there is none (a machine that only holds a root
/// key).
void record_trust(Invocation& invocation, const std::string& type, Outcome outcome, const std::string& subject,
                  const Json& detail);

/// Marks in the catalog what is pinned or followed from now on (mark_trust()). It is followed whatever becomes of the
/// mark, so that a failure is a warning.
void mark_followed(Invocation& invocation, TrustMark change = TrustMark::raise,
                   const std::vector<std::string>& brought = {});

/// The run of a command that changes trust (`change`: "pin", "add-key", …): what it refuses or fails at is in the audit
/// log too, as failure of `type` with the error's code.
void recorded_change(Invocation& invocation, const std::string& type, const std::string& change,
                     const std::function<void()>& run);

/// Makes the version after the pinned one, signs it with the given root keys, and follows it; or, as long as root
/// signatures are missing, writes it to --out (default: STATE/trust/pending) for `trust sign-root`. What can no longer
/// be done once it is in force is told before it is signed, and is `warnings` of the result.
/// @param what for the audit log: {"change": "revoke", "key": …}
/// @throws Error{trust_broken, trust_missing} where pinned statements are lost: the next one would fork the chain
void change_trust(Invocation& invocation, const ChangeOptions& options, Json what,
                  const std::function<void(TrustRoot&)>& edit);
/// What has enough signatures is followed here, or pinned where that is allowed; otherwise it is written to `pending`,
/// and said how many are missing.
enum class Pin : std::uint8_t { yes, no };
void finish_statement(Invocation& invocation, const RootStatement& statement, const fs::path& pending, Json what,
                      Pin may_pin = Pin::yes);

Json root_json(const TrustRoot& root);
std::string root_text(const TrustRoot& root);

}  // namespace liftlock
