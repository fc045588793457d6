#include "cli/site_alarms.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/trust_mark.hpp"
#include "cli/config_record.hpp"
#include "cli/disbelieved.hpp"
#include "store/blob_store.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {

std::optional<SignedDate> newest_signed(const Site& site, const AuditLog& log,
                                        const std::map<std::string, ChannelHistory>& histories,
                                        const std::vector<WitnessStanding>& standings) {
  std::optional<SignedDate> out;
  const auto take = [&](const std::optional<Timestamp>& time, const std::string& what) {
    if (time && (!out || out->time < *time)) out = SignedDate{*time, what};
  };
  for (const auto& [channel, history] : histories)
    take(history.newest_created, "the newest bundle of channel " + printable(channel));
  try {
    const TrustStore trust(site.trust_folder());
    if (!trust.empty()) take(trust.current().created, "the trust root");
  } catch (const Error&) {  // which is told elsewhere
  }
  for (const auto& standing : standings) take(standing.time, "a witness of the audit log");
  if (log.size() > 0) take(log.read(log.size() - 1).time, "the last entry of the audit log");
  return out;
}

Json forks_json(const ChannelHistory& history) {
  auto out = Json::array();
  for (const auto& fork : history.forks)
    out.push_back({{"sequence", fork.sequence}, {"bundle", fork.bundle}, {"refused", format_time(fork.when)}});
  return out;
}

std::string forks_text(const std::map<std::string, ChannelHistory>& histories) {
  std::string out;
  for (const auto& [channel, history] : histories) {
    for (const auto& fork : history.forks) {
      out += fmt::format("FORKED: {}/{} is also {}, which was refused {}\n", printable(channel), fork.sequence,
                         printable(fork.bundle), format_time(fork.when));
    }
  }
  if (out.empty()) return out;
  return out +
         "  two bundles were made under one sequence, or somebody else makes some: find out which, before the next one "
         "is taken;\n  then `liftlock settle DIGEST --reason TEXT` ends this alarm\n";
}

Json forks_json(const std::vector<TrustFork>& forks) {
  auto out = Json::array();
  for (const auto& fork : forks) {
    out.push_back({{"version", fork.version},
                   {"fingerprint", fork.fingerprint},
                   {"followed", fork.followed},
                   {"signed_by", fork.signed_by},
                   {"refused", format_time(fork.met)}});
  }
  return out;
}

std::string forks_text(const std::vector<TrustFork>& forks) {
  std::string out;
  for (const auto& fork : forks) {
    std::vector<std::string> keys;
    for (const auto& id : fork.signed_by) keys.push_back(printable(id.substr(0, 16)));
    out += fmt::format("FORKED TRUST: root statement {} is also {}, signed by {}, which was refused {}\n", fork.version,
                       printable(fork.fingerprint), fmt::join(keys, ", "), format_time(fork.met));
  }
  if (out.empty()) return out;
  return out +
         "  a root key signed twice, or somebody else has it: find out by another way which statement is false; then\n"
         "  `liftlock settle FINGERPRINT --reason TEXT` ends this alarm\n";
}

std::string trust_trouble(const Site& site, const AuditLog& log) {
  try {
    if (const auto trust = trust_of(site, log); !trust.empty()) (void)trust.current();
    require_trust_as_marked(site, log);
    return {};
  } catch (const Error& error) {
    return error.message();
  }
}

Standing standing_of(const Site& site, const AuditLog& log, const Catalog& catalog) {
  Standing out;
  out.trouble = trust_trouble(site, log);
  if (!out.trouble.empty()) return out;
  try {
    const TrustStore trust(site.trust_folder());
    // Without a trust root nothing is revoked, and what was changed in the catalog is told all the same.
    const auto root = trust.empty() ? TrustRoot() : trust.current();
    const auto found = disbelieved(catalog, BlobStore(site.store_folder()), root);
    const auto tell = [](const std::vector<MarkedPublication>& all, std::vector<std::string>& lines) {
      for (const auto& [publication, why] : all)
        lines.push_back(fmt::format("{}/{}: {}", publication.channel, publication.sequence, why));
    };
    tell(found.revoked, out.revoked);
    tell(found.unjudged, out.unjudged);
  } catch (const Error& error) {
    out.trouble = error.message();
  }
  return out;
}

std::string standing_text(const Standing& standing) {
  std::string out;
  if (!standing.trouble.empty()) out += fmt::format("TRUST: {}\n", printable(standing.trouble));
  for (const auto& one : standing.revoked) out += fmt::format("REVOKED: {}\n", printable(one));
  if (!standing.revoked.empty()) out += "  `liftlock retire --revoked` takes that out of use\n";
  for (const auto& one : standing.unjudged)
    out += fmt::format("UNJUDGED: whether a revoked key signed it cannot be said of {}\n", printable(one));
  return out;
}

std::string lost_key_text(const Site& site) {
  if (!audit_key_is_lost(site)) return {};
  return fmt::format("AUDIT KEY LOST: there is no '{}', and whatever writes to the audit log is refused\n  {}\n",
                     printable((site.audit_folder() / "key").string()), k_way_out_of_lost_key);
}

}  // namespace liftlock
