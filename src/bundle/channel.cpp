#include "bundle/channel.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace liftlock {

std::string ingest_detail(const BundleInfo& info, const Digest& digest, const std::string& remark) {
  Json detail = {{"channel", info.channel},
                 {"sequence", info.sequence},
                 {"pending", info.pending},
                 {"bundle", digest.text()},
                 {"bundle_version", info.bundle_version},
                 {"created", format_time(info.creation_date)}};
  if (!remark.empty()) detail["remark"] = remark;
  return dump_json_line(detail);
}

ChannelHistory channel_history(const AuditLog& log, std::string_view channel) {
  ChannelHistory history;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    // The intent is written once everything was checked, right before the effect: it counts, whatever became of it.
    if (entry.event.type != k_ingest_event || entry.event.outcome != Outcome::intent) return true;
    const auto detail = parse_json(entry.event.detail);
    if (string_member(detail, "channel", "audit entry") != channel) return true;
    const auto sequence = uint_member(detail, "sequence", "audit entry");
    const bool newest = sequence >= history.newest();
    history.seen.insert_or_assign(sequence, Digest::parse(string_member(detail, "bundle", "audit entry")));
    if (newest) {
      history.still_pending.clear();
      for (const auto& pending : array_member(detail, "pending", "audit entry")) {
        history.still_pending.insert(pending.get<std::uint64_t>());
      }
    }
    return true;
  });
  for (const auto& [sequence, digest] : history.seen) history.still_pending.erase(sequence);
  return history;
}

Arrival judge_arrival(const ChannelHistory& history, const BundleInfo& info, const Digest& digest,
                      bool allow_rollback) {
  if (const auto seen = history.seen.find(info.sequence); seen != history.seen.end()) {
    if (seen->second == digest) return Arrival::repeated;
    fail(ErrorCode::forked, "sequence {} of channel {} was accepted as {}, and this one is {}", info.sequence,
         info.channel, seen->second.text(), digest.text());
  }
  if (info.sequence > history.newest()) return Arrival::next;
  if (history.still_pending.contains(info.sequence)) return Arrival::late;
  if (allow_rollback) return Arrival::late;
  fail(ErrorCode::replayed,
       "channel {} is at sequence {}, and this bundle is {}, which is not among those still under way", info.channel,
       history.newest(), info.sequence);
}

}  // namespace liftlock
