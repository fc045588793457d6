#include "bundle/channel.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {

std::string ingest_detail(const BundleInfo& info, const Digest& digest, const Json& more) {
  Json detail = {{"channel", info.channel},
                 {"sequence", info.sequence},
                 {"pending", info.pending},
                 {"bundle", digest.text()},
                 {"bundle_version", info.bundle_version},
                 {"created", format_time(info.creation_date)}};
  if (!info.expedited.empty()) detail["expedited"] = info.expedited;
  detail.update(more);
  return dump_json_line(detail);
}

namespace {

constexpr std::string_view k_where = "audit entry";

/// The intent is written once everything was checked, right before the effect: it counts, whatever became of it.
bool is_arrival(const AuditEntry& entry) {
  return entry.event.type == k_ingest_event && entry.event.outcome == Outcome::intent;
}

/// The channel and the fork, where the entry tells of one.
std::optional<std::pair<std::string, RefusedFork>> refused_fork(const AuditEntry& entry) {
  if (entry.event.type != k_ingest_event || entry.event.outcome != Outcome::failure) return std::nullopt;
  const auto detail = parse_json(entry.event.detail);
  if (detail.value("code", "") != info(ErrorCode::forked).slug) return std::nullopt;
  const auto slash = entry.event.subject.rfind('/');
  const auto sequence = parse_uint(std::string_view(entry.event.subject).substr(slash + 1));
  if (slash == std::string::npos || !sequence) return std::nullopt;
  return std::pair(entry.event.subject.substr(0, slash),
                   RefusedFork{.sequence = *sequence, .bundle = detail.value("bundle", ""), .when = entry.time});
}

void settle(ChannelHistory& history, std::string_view bundle) {
  std::erase_if(history.forks, [&](const auto& fork) { return fork.bundle == bundle; });
}

void add_arrival(ChannelHistory& history, const Json& detail) {
  const auto sequence = uint_member(detail, "sequence", k_where);
  const auto created = parse_time(string_member(detail, "created", k_where));
  if (!history.newest_regular || (!detail.contains("expedited") && *history.newest_regular < created))
    history.newest_regular = created;
  if (sequence >= history.newest()) {
    history.newest_created = created;
    history.still_pending.clear();
    for (const auto& pending : array_member(detail, "pending", k_where)) {
      history.still_pending.insert(pending.get<std::uint64_t>());
    }
  }
  history.withheld.erase(sequence);
  if (detail.contains("withheld")) history.withheld[sequence] = uint_member(detail, "withheld", k_where);
  history.seen.insert_or_assign(sequence, Digest::parse(string_member(detail, "bundle", k_where)));
  for (const auto& [seen, digest] : history.seen) history.still_pending.erase(seen);
}

}  // namespace

std::map<std::string, ChannelHistory> channel_histories(const AuditLog& log) {
  std::map<std::string, ChannelHistory> histories;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (auto fork = refused_fork(entry)) {
      auto& history = histories[fork->first];
      settle(history, fork->second.bundle);
      history.forks.push_back(std::move(fork->second));
    }
    if (entry.event.type == k_settle_event) {
      for (auto& [channel, history] : histories) settle(history, entry.event.subject);
    }
    if (!is_arrival(entry)) return true;
    const auto detail = parse_json(entry.event.detail);
    add_arrival(histories[string_member(detail, "channel", k_where)], detail);
    return true;
  });
  return histories;
}

ChannelHistory channel_history(const AuditLog& log, std::string_view channel) {
  auto histories = channel_histories(log);
  const auto found = histories.find(std::string(channel));
  return found == histories.end() ? ChannelHistory() : std::move(found->second);
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
