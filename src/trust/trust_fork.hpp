// A fork of the chain of root statements: one of a version that is followed here already, with other content. Anybody
// can make one, and it is refused. One that carries the signature of a root key of this chain shows that a key signed
// twice or is in other hands: that goes into the audit log, and is an alarm until a person settles it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "site/site.hpp"

namespace liftlock {

struct TrustFork {
  std::uint64_t version = 0;
  std::string fingerprint;
  std::string followed;                ///< fingerprint of the statement of that version that is followed here
  std::vector<std::string> signed_by;  ///< ids of root keys, also of those that were revoked or retired since
  Timestamp met{};
};

inline constexpr std::string_view k_trust_fork_event = "trust.fork";
/// A person ends the alarm about a fork: the subject is the digest of what was refused.
inline constexpr std::string_view k_settle_event = "fork.settle";

/// Where one of these statements, which were refused, is a signed fork, the audit log has it when this returns: the
/// first of them, and not again while the alarm about it stands. Never throws: the refusal is what people need, and
/// says so where the fork could not be recorded.
void note_fork(const Site& site, const std::vector<std::string>& statements, std::string_view actor, Error& refusal);

/// Runs what judges these statements; note_fork() before what it throws goes on.
void noting_forks(const Site& site, const std::vector<std::string>& statements, std::string_view actor,
                  const std::function<void()>& judge);

/// A person said of its subject what it was, or pinned it: then it is what is followed here.
bool ends_fork_alarm(const AuditEvent& event);

/// What was met and nobody settled or pinned since, oldest first. Reads the whole log.
std::vector<TrustFork> unsettled_forks(const AuditLog& log);

}  // namespace liftlock
