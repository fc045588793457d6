// The catalog's own memory of the newest root statement that was followed here. The audit log remembers them all; where
// log and trust folder are old copies together, of one backup for example, the catalog still knows, and what a key
// signed that was revoked since stays refused. A mark, and no trust: nobody is believed for it. Format:
// docs/formats/store.md, "The mark of trust".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "site/site.hpp"
#include "store/catalog.hpp"
#include "trust/trust.hpp"

namespace liftlock {

/// @param brought statements that are about to be followed: where they are a chain that leads to what is pinned or
/// further, they count as pinned
/// @throws Error{trust_rolled_back} when neither they, nor what is pinned, nor the log has the marked statement
void require_trust_as_marked(const Catalog& catalog, const TrustStore& trust, const AuditLog& log,
                             const std::vector<std::string>& brought = {});
/// The same for an installation; one without a catalog has no mark.
void require_trust_as_marked(const Site& site, const AuditLog& log, const std::vector<std::string>& brought = {});

enum class TrustMark : std::uint8_t {
  raise,    ///< it stays what it is where the marked statement is not known: an old copy lowers no mark
  replace,  ///< a person put another chain in the place of the one before, for a reason
};
/// Marks the newest of the pinned statements, where there are any.
/// @param brought as above
/// @throws what require_trust_as_logged() throws, with which nothing is marked
void mark_trust(Catalog& catalog, const TrustStore& trust, const AuditLog& log, TrustMark change = TrustMark::raise,
                const std::vector<std::string>& brought = {});
/// The same for an installation; without a catalog nothing landed, and there is nothing to mark.
void mark_trust(const Site& site, const AuditLog& log, TrustMark change = TrustMark::raise,
                const std::vector<std::string>& brought = {});

}  // namespace liftlock
