// Are the users' keys those that the audit log tells of? An old copy of access.db lacks keys that were made since, and
// has in use what was revoked since; the copy of another installation has keys that nobody made here; and who writes
// into the file himself can give a key another role, or no end.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "cli/command.hpp"
#include "site/site.hpp"

namespace liftlock {

struct KeyOfUser {
  std::string id;
  std::string user;  ///< for people; empty where the log does not say
};

struct ChangedKey : KeyOfUser {
  std::vector<std::string> members;  ///< of its `key.add` that its row now contradicts; none: it cannot be read
};

struct KeyStanding {
  std::vector<KeyOfUser> lost;                 ///< made, never revoked, and not there; from oldest to newest
  std::map<std::string, std::string> revived;  ///< ids of keys that were revoked and are valid → why they were
  std::vector<KeyOfUser> unknown;              ///< not revoked, and never made here, as far as the log goes back
  std::vector<ChangedKey> changed;             ///< not revoked, and not what was made; the unreadable last
  bool good() const { return lost.empty() && revived.empty() && unknown.empty() && changed.empty(); }
};

/// Reads the whole log. @throws what KeyRing throws for a file that it cannot read
KeyStanding key_standing(const Site& site, const AuditLog& log);
Json key_standing_json(const KeyStanding& standing);
/// Lines for `status`; empty when all is well.
std::string key_standing_text(const KeyStanding& standing);

/// Warns of keys that the log never saw, or not as they are. They stay in use: a person knows whose they are.
void warn_of_foreign_keys(const KeyStanding& standing, const Invocation& invocation);

/// Revokes again what is valid and was revoked, each between its entries. @return their ids
std::vector<std::string> revoke_revived(const Site& site, const KeyStanding& standing, AuditLog& log,
                                        const std::string& actor);

}  // namespace liftlock
