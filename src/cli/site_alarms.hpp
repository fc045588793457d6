// What `status` raises besides what a channel's row says: clocks, trust, forks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "bundle/channel.hpp"
#include "site/site.hpp"
#include "store/catalog.hpp"
#include "trust/trust_fork.hpp"
#include "witness/meetings.hpp"

namespace liftlock {

/// A date that was signed, and by whom.
struct SignedDate {
  Timestamp time;
  std::string what;
};

/// The newest of all that this machine has: a clock that is behind it is wrong.
std::optional<SignedDate> newest_signed(const Site& site, const AuditLog& log,
                                        const std::map<std::string, ChannelHistory>& histories,
                                        const std::vector<WitnessStanding>& standings);

Json forks_json(const ChannelHistory& history);
/// Empty when there are none.
std::string forks_text(const std::map<std::string, ChannelHistory>& histories);

Json forks_json(const std::vector<TrustFork>& forks);
/// Empty when there are none.
std::string forks_text(const std::vector<TrustFork>& forks);

/// What would land no more: a key that signed it was revoked since. And trust that is not what the log tells of.
struct Standing {
  std::vector<std::string> revoked;   ///< "plant/3: signed by …"
  std::vector<std::string> unjudged;  ///< "plant/4: …": why that cannot be said of it
  std::string trouble;                ///< why it can be said of none, or what is wrong with the trust root
  bool good() const { return revoked.empty() && unjudged.empty() && trouble.empty(); }
};

/// What is wrong with the trust root; empty when nothing is. Never throws for damage.
std::string trust_trouble(const Site& site, const AuditLog& log);

/// Never throws for damage: that is the trouble then.
Standing standing_of(const Site& site, const AuditLog& log, const Catalog& catalog);
std::string standing_text(const Standing& standing);

/// Says that the audit log has lost its private key, so that nothing that writes to it will run; empty when it has not.
std::string lost_key_text(const Site& site);

}  // namespace liftlock
