// What the trust commands share: naming keys and times, finding statements, and turning an edit of the root into its
// next signed version.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "cli/command.hpp"
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

/// "365d", "2027-11-23T06:00:00Z" or "never". @throws Error{usage}
std::optional<Timestamp> parse_expiry(const std::string& text);
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

/// The run of a command that changes trust (`change`: "pin", "add-key", …): what it refuses or fails at is in the audit
/// log too, as failure of `type` with the error's code.
void recorded_change(Invocation& invocation, const std::string& type, const std::string& change,
                     const std::function<void()>& run);

/// Makes the version after the pinned one, signs it with the given root keys, and follows it; or, as long as root
/// signatures are missing, writes it to --out (default: STATE/trust/pending) for `trust sign-root`.
/// @param what for the audit log: {"change": "revoke", "key": …}
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
