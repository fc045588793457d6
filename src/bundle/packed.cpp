#include "bundle/packed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_where = "audit entry";

std::string channel_fact(const std::string& channel) {
  return "channel/" + channel;
}

}  // namespace

std::string packed_subject(std::string_view channel, std::uint64_t sequence) {
  return fmt::format("{}/{}", channel, sequence);
}

std::map<std::string, std::map<std::uint64_t, PackedBundle>> packed_bundles(const AuditLog& log) {
  std::map<std::string, std::map<std::uint64_t, PackedBundle>> out;
  std::map<std::string, Digest> locks;  // by subject, of the last that was begun
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    const bool is_told =
        event.type == k_pack_event || event.type == k_acknowledge_event || event.type == k_abandon_event;
    const bool is_begun = event.type == k_pack_event && event.outcome == Outcome::intent;
    if ((event.outcome != Outcome::success || !is_told) && !is_begun) return true;
    const auto slash = event.subject.rfind('/');
    const auto sequence = parse_uint(std::string_view(event.subject).substr(slash + 1));
    if (slash == std::string::npos || !sequence) return true;
    const auto detail = parse_json(event.detail);
    if (is_begun) {
      if (detail.contains("lock"))
        locks.insert_or_assign(event.subject, Digest::parse(string_member(detail, "lock", k_where)));
      return true;
    }
    const auto digest = Digest::parse(string_member(detail, "bundle", k_where));
    auto& bundles = out[event.subject.substr(0, slash)];
    const auto found = bundles.find(*sequence);
    // Packed again with nothing changed it is the same bundle, acknowledged or not.
    const bool same = found != bundles.end() && found->second.digest == digest;
    if (event.type == k_acknowledge_event && same) found->second.acknowledged = true;
    if (event.type == k_abandon_event && same) found->second.abandoned = string_member(detail, "reason", k_where);
    if (event.type == k_pack_event && !same) {
      PackedBundle bundle{.digest = digest, .packed = entry.time, .abandoned = {}, .lock = {}};
      if (const auto lock = locks.find(event.subject); lock != locks.end()) bundle.lock = lock->second;
      bundles.insert_or_assign(*sequence, std::move(bundle));
    }
    return true;
  });
  return out;
}

PackedBundle packed_bundle(const AuditLog& log, std::string_view channel, std::uint64_t sequence) {
  const auto channels = packed_bundles(log);
  const auto found = channels.find(std::string(channel));
  if (found == channels.end() || !found->second.contains(sequence))
    throw Error(
        ErrorCode::not_found, fmt::format("no bundle {} of channel {} was packed here", sequence, printable(channel)),
        "`liftlock status` says what was packed; where that is less than you know, the audit log is an old copy");
  return found->second.at(sequence);
}

std::optional<PreviousBundle> LastPacked::newest() const {
  if (!in_catalog || !in_log) return in_catalog ? in_catalog : in_log;
  return in_catalog->sequence > in_log->sequence ? in_catalog : in_log;
}

std::string LastPacked::trouble() const {
  const auto catalog = in_catalog ? in_catalog->sequence : 0, log = in_log ? in_log->sequence : 0;
  if (catalog < log)
    return fmt::format("the catalog knows bundles to {}, the audit log to {}: the catalog is lost, or an old copy",
                       catalog, log);
  if (catalog > std::max(log, begun))
    return fmt::format("the audit log knows bundles to {}, the catalog to {}: the log was cut, or is an old copy", log,
                       catalog);
  return {};
}

LastPacked last_packed(const Catalog& catalog, const AuditLog& log, const std::string& channel) {
  LastPacked out;
  if (const auto fact = catalog.fact(channel_fact(channel))) {
    const auto json = parse_json(*fact);
    out.in_catalog = PreviousBundle{uint_member(json, "sequence", "channel fact"),
                                    Digest::parse(string_member(json, "bundle", "channel fact"))};
  }
  const auto channels = packed_bundles(log);
  if (const auto found = channels.find(channel); found != channels.end() && !found->second.empty()) {
    const auto& [sequence, bundle] = *found->second.rbegin();
    out.in_log = PreviousBundle{sequence, bundle.digest};
  }
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    const auto& event = entry.event;
    if (event.type != k_pack_event || event.outcome != Outcome::intent) return true;
    const auto slash = event.subject.rfind('/');
    if (slash == std::string::npos || std::string_view(event.subject).substr(0, slash) != channel) return true;
    out.begun = std::max(out.begun, parse_uint(std::string_view(event.subject).substr(slash + 1)).value_or(0));
    return true;
  });
  return out;
}

void set_last_packed(Catalog& catalog, const std::string& channel, const PreviousBundle& bundle) {
  catalog.set_fact(channel_fact(channel),
                   dump_json_line({{"sequence", bundle.sequence}, {"bundle", bundle.digest.text()}}));
}

}  // namespace liftlock
