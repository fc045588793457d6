// A channel is a line of bundles with sequence numbers: the rules that keep old bundles from coming back.
// docs/formats/bundle.md, "Channels".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "audit/audit_log.hpp"
#include "base/json.hpp"
#include "bundle/manifest.hpp"

namespace liftlock {

/// Another bundle than the accepted one came under a sequence.
struct RefusedFork {
  std::uint64_t sequence = 0;
  std::string bundle;  ///< digest of its bundle.json
  Timestamp when{};    ///< it was refused
};

/// What an installation has seen of one channel, read from the audit log: a restored catalog cannot roll it back.
struct ChannelHistory {
  std::map<std::uint64_t, Digest> seen;   ///< sequences that were accepted, with their bundle.json
  std::set<std::uint64_t> still_pending;  ///< what the newest accepted bundle named as pending
  std::map<std::uint64_t, std::uint64_t>
      withheld;                             ///< artifacts that a scanner kept from landing, where there are some
  std::optional<Timestamp> newest_created;  ///< when the newest accepted bundle was made
  std::optional<Timestamp> newest_regular;  ///< of those that were not expedited; the first counts as regular
  std::vector<RefusedFork> forks;           ///< that nobody settled, each bundle once
  std::uint64_t newest() const { return seen.empty() ? 0 : seen.rbegin()->first; }
};

/// The type and detail of the audit entries that channel_history reads.
inline constexpr std::string_view k_ingest_event = "bundle.ingest";
/// @param more members of the detail; "withheld" is the number of artifacts that did not land
std::string ingest_detail(const BundleInfo& info, const Digest& digest, const Json& more);

/// Of every channel. Reads the whole log. @throws Error{audit_broken, schema_violation}
std::map<std::string, ChannelHistory> channel_histories(const AuditLog& log);
ChannelHistory channel_history(const AuditLog& log, std::string_view channel);

enum class Arrival : std::uint8_t {
  next,      ///< a higher sequence than any before
  late,      ///< a lower one that the newest bundle named as pending
  repeated,  ///< exactly this bundle was accepted before
};

/// @param allow_rollback accepts a lower sequence that nobody named as pending
/// @throws Error{forked} when another bundle with this sequence was accepted, Error{replayed}
Arrival judge_arrival(const ChannelHistory& history, const BundleInfo& info, const Digest& digest, bool allow_rollback);

}  // namespace liftlock
