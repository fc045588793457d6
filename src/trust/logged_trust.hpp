// The trust of an installation, as everybody who judges asks for it. The audit log remembers every root statement that
// was pinned or followed: a folder that lost the newest ones, of a backup for example, would believe keys that were
// revoked since.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "site/site.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// What an audit log tells of root statements. Each entry is read once, so that a process that judges often can keep
/// one. Safe on several threads.
class LoggedTrust {
 public:
  /// @param brought statements that are about to be followed; they count as pinned
  /// @throws Error{trust_missing} when the log tells of statements and none is pinned, Error{trust_broken} when some of
  /// those that it tells of are not there, or when what is pinned is no chain: the file is named
  void require(const TrustStore& store, const AuditLog& log, const std::vector<std::string>& brought = {});

  enum class Chains : std::uint8_t { pinned, replaced_too };
  /// The chain that may take the place of what is pinned, since it has all that the log tells of: the statements that
  /// were brought (not empty, oldest first), and what can still be read here where they lack it; from the first that
  /// the log tells of on. Empty when they lack some, or go another way than what can be read here.
  /// @param chains replaced_too: one that was replaced by another may also come back
  /// @throws what parse_root and advance throw
  std::vector<std::string> whole_chain(const TrustStore& store, const AuditLog& log,
                                       const std::vector<std::string>& brought, Timestamp when,
                                       Chains chains = Chains::pinned);
  /// Does the log tell of it, or was it replaced by another, or is it pinned?
  bool knows(const TrustStore& store, const AuditLog& log, const Digest& fingerprint);
  /// The fingerprints of each version that is followed here, as the log tells of it, and as far as it can be read.
  std::map<std::uint64_t, std::set<std::string>> followed(const TrustStore& store, const AuditLog& log);

 private:
  using Remembered = std::map<std::string, std::uint64_t>;  ///< fingerprint → version, 0 where the log lacks it

  void read(const AuditLog& log);
  void take(const AuditEvent& event);

  std::mutex m_mutex;
  std::uint64_t m_read = 0;            ///< entries of the log
  Remembered m_pinned;                 ///< since another chain took the place of the one before
  std::vector<Remembered> m_replaced;  ///< the chains before
  bool m_replacing = false;            ///< that began, and nothing says that it ended
};

/// The same, once. @throws what LoggedTrust::require throws
void require_trust_as_logged(const TrustStore& store, const AuditLog& log,
                             const std::vector<std::string>& brought = {});

/// The pinned chain, which may be empty(); where there is an installation, its log was asked.
/// @throws what require_trust_as_logged() and AuditLog::open_to_read() throw
TrustStore trust_of(const Site& site);
TrustStore trust_of(const Site& site, const AuditLog& log);

/// Pins this chain (not empty, oldest first) instead of what is there, which is set aside.
/// @throws what TrustStore::replace and TrustStore::follow throw
void replace_chain(TrustStore& store, const std::vector<std::string>& chain, Timestamp when);

}  // namespace liftlock
