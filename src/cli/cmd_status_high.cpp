#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/algorithm/string/join.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_reserve.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "bundle/import_channel.hpp"
#include "bundle/import_record.hpp"
#include "bundle/scan.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/key_standing.hpp"
#include "cli/site_alarms.hpp"
#include "cli/syslog_settings.hpp"
#include "cli/witness_view.hpp"
#include "os/file.hpp"
#include "server/log_check.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

/// A clock that runs a little behind the builder's is no alarm.
constexpr auto k_clock_slack = std::chrono::minutes(10);

/// What of audit log and catalog one has and the other has not.
struct Difference {
  std::string what;
  std::string digest;   ///< of a bundle that the log lacks
  std::string command;  ///< what ends it, where one command does
};

/// By channel.
using Differences = std::map<std::string, std::vector<Difference>>;

/// Subject ("channel/sequence") → is it in use, as the audit log has it?
std::map<std::string, bool> in_use(const AuditLog& log) {
  std::map<std::string, bool> out;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.outcome != Outcome::success) return true;
    if (entry.event.type == k_ingest_event || entry.event.type == k_import_event) out[entry.event.subject] = true;
    if (entry.event.type == "bundle.retire") out[entry.event.subject] = false;
    return true;
  });
  return out;
}

/// An old copy of the catalog lacks what landed since, and has in use what was retired since.
Differences behind(const AuditLog& log, const Catalog& catalog, const std::set<std::string>& live) {
  Differences out;
  for (const auto& [subject, used] : in_use(log)) {
    const auto slash = subject.rfind('/');
    const auto channel = subject.substr(0, slash);
    const auto sequence = parse_uint(std::string_view(subject).substr(slash + 1)).value_or(0);
    if (used && !live.contains(subject) && !catalog.is_retired(channel, sequence))
      out[channel].push_back({.what = subject + " is missing: ingest it again", .digest = {}, .command = {}});
    if (!used && live.contains(subject))
      out[channel].push_back({.what = subject + " was retired: retire it again", .digest = {}, .command = {}});
  }
  return out;
}

/// How a bundle of the catalog comes into the audit log again. Once a newer one is in the log, an older one is a
/// replay.
std::string how_to_log_again(const PublicationSummary& bundle, const ChannelHistory& history) {
  const bool is_replay = bundle.sequence < history.newest() && !history.still_pending.contains(bundle.sequence);
  return fmt::format("liftlock ingest SOURCE --expect {}{}", bundle.bundle_digest.text(),
                     is_replay ? " --allow-rollback --reason TEXT" : "");
}

Json differences_json(const Differences& lost, const Differences& unlogged) {
  auto out = Json::array();
  const auto text = [](const std::string& given) { return given.empty() ? Json() : Json(given); };
  const auto add = [&](const char* state, const Differences& differences) {
    for (const auto& [channel, all] : differences) {
      for (const auto& one : all) {
        out.push_back({{"channel", channel},
                       {"state", state},
                       {"what", one.what},
                       {"bundle", text(one.digest)},
                       {"command", text(one.command)}});
      }
    }
  };
  add("catalog", lost);
  add("unlogged", unlogged);
  return out;
}

/// What has to be looked at; empty when all is well.
std::string trouble(const SiteConfig& config, const std::string& channel, const ChannelHistory& history,
                    Timestamp when) {
  if (history.newest_created && *history.newest_created > when + k_clock_slack) return "clock";
  const auto every = config.cadence.find(channel);
  if (every == config.cadence.end()) return "";
  return !history.newest_regular || *history.newest_regular + every->second < when ? "overdue" : "";
}

/// What came in without a bundle.
struct Imports {
  std::size_t live = 0;
  std::vector<std::string> unsigned_ones;  ///< "import/3 (tiny.baimodel)"
  std::set<std::string> logged;            ///< subjects
};

Imports imports_of(const AuditLog& log, const Catalog& catalog) {
  Imports out;
  log.for_each(0, log.size(), [&](const AuditEntry& entry) {
    if (entry.event.type == k_import_event && entry.event.outcome == Outcome::intent)
      out.logged.insert(entry.event.subject);
    return true;
  });
  for (const auto& one : catalog.publications()) {
    if (one.channel != k_import_channel || one.artifact_count == 0) continue;
    ++out.live;
    const auto publication = catalog.publication(one.channel, one.sequence);
    if (!publication) continue;
    const bool believed = std::all_of(publication->artifacts.begin(), publication->artifacts.end(),
                                      [](const auto& artifact) { return import_label(artifact).empty(); });
    if (believed) continue;
    out.unsigned_ones.push_back(fmt::format("{}/{} ({})", one.channel, one.sequence,
                                            printable(parse_import_record(publication->bundle_json).source)));
  }
  return out;
}

/// What `serve` found when it checked the whole log.
Json damage_json(const AuditEntry& check) {
  return {{"entry", check.index},
          {"time", format_time(check.time)},
          {"what", parse_json(check.event.detail).value("what", "")}};
}

std::string damage_text(const AuditEntry& check) {
  return fmt::format(
      "AUDIT LOG DAMAGED: {}\n  found {} by `serve`, which says so until it finds all of it whole again; "
      "docs/guides/audit.md says what to do\n",
      printable(parse_json(check.event.detail).value("what", "")), format_time(check.time));
}

void run(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("status", {Zone::ingest, Zone::production});
  const auto& config = site.config();
  require_known_kinds(site.config());
  const auto when = now();
  const auto log = open_audit_log(invocation);
  const auto standings = Meetings(site).standings(log, when);
  const auto check = log.find_last(k_log_check_event, log.name());
  const bool damaged = check && check->event.outcome == Outcome::failure;
  auto histories = channel_histories(log);
  for (const auto& [channel, every] : config.cadence) histories[channel];
  std::set<std::string> live;
  const Catalog catalog(site.catalog_file(), Access::read);
  Differences unlogged;  // the catalog gives them by channel, oldest first
  const bool ingests = config.zone == Zone::ingest;
  const auto imports = imports_of(log, catalog);
  for (const auto& publication : catalog.publications()) {
    const auto subject = fmt::format("{}/{}", publication.channel, publication.sequence);
    live.insert(subject);
    if (publication.channel == k_import_channel) {
      if (!imports.logged.contains(subject))
        unlogged[publication.channel].push_back(
            {.what = subject + " is not in the audit log", .digest = {}, .command = {}});
      continue;
    }
    const auto& history = histories[publication.channel];
    if (history.seen.contains(publication.sequence)) continue;
    unlogged[publication.channel].push_back({.what = subject + " is not in the audit log",
                                             .digest = publication.bundle_digest.text(),
                                             .command = ingests ? how_to_log_again(publication, history) : ""});
  }
  const auto lost = behind(log, catalog, live);
  const auto lost_key = lost_key_text(site);
  const bool has_room = has_audit_reserve(site.audit_folder());
  const auto free = free_space(site.store_folder());
  auto channels = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "NEWEST", "MADE", "EXPECTED", "PENDING", "WITHHELD", "STATE"}};
  std::set<std::string> states;
  for (const auto& [channel, history] : histories) {
    const auto made = history.newest_created ? format_time(*history.newest_created) : "";
    const auto every = config.cadence.find(channel);
    const bool expected = every != config.cadence.end() && history.newest_regular;
    const auto due = expected ? format_time(*history.newest_regular + every->second) : "";
    const bool in_use = std::any_of(history.seen.begin(), history.seen.end(), [&](const auto& one) {
      return live.contains(fmt::format("{}/{}", channel, one.first));
    });
    const bool all_retired = !history.seen.empty() && !in_use;
    std::uint64_t newest_in_use = 0;
    for (const auto& [sequence, digest] : history.seen) {
      if (live.contains(fmt::format("{}/{}", channel, sequence))) newest_in_use = sequence;
    }
    const std::string state = lost.contains(channel)       ? "catalog"
                              : unlogged.contains(channel) ? "unlogged"
                                                           : trouble(config, channel, history, when);
    if (!state.empty()) states.insert(state);
    if (!history.forks.empty()) states.insert("forked");
    // A person did that: it is said, and is no alarm.
    const std::string shown = !history.forks.empty() ? "forked"
                              : !state.empty()       ? state
                              : all_retired          ? "retired"
                                                     : "ok";
    std::vector<std::string> pending;
    for (const auto sequence : history.still_pending) pending.push_back(std::to_string(sequence));
    auto withheld = Json::array();
    std::vector<std::string> withheld_of;
    for (const auto& [sequence, artifacts] : history.withheld) {
      if (!live.contains(fmt::format("{}/{}", channel, sequence))) continue;  // retired since
      withheld.push_back({{"sequence", sequence}, {"artifacts", artifacts}});
      withheld_of.push_back(fmt::format("{}:{}", sequence, artifacts));
    }
    channels.push_back({{"channel", channel},
                        {"newest", history.newest()},
                        {"in_use", newest_in_use},
                        {"made", made.empty() ? Json() : Json(made)},
                        {"expected", due.empty() ? Json() : Json(due)},
                        {"pending", history.still_pending},
                        {"withheld", std::move(withheld)},
                        {"forks", forks_json(history)},
                        {"state", shown}});
    const auto newest_text = newest_in_use == 0 || newest_in_use == history.newest()
                                 ? std::to_string(history.newest())
                                 : fmt::format("{} (in use {})", history.newest(), newest_in_use);
    rows.push_back({printable(channel), newest_text, made, due, boost::algorithm::join(pending, " "),
                    boost::algorithm::join(withheld_of, " "), shown});
  }
  if (lost.contains(std::string(k_import_channel))) states.insert("catalog");
  if (unlogged.contains(std::string(k_import_channel))) states.insert("unlogged");
  const auto standing = standing_of(site, log, catalog);
  if (!standing.good()) states.insert("trust");
  const auto trust_forks = unsettled_forks(log);
  if (!trust_forks.empty()) states.insert("forked");
  const auto keys = key_standing(site, log);
  if (!keys.good()) states.insert("keys");
  const auto newest = newest_signed(site, log, histories, standings);
  const bool clock_is_behind = newest && newest->time > when + k_clock_slack;
  if (clock_is_behind) states.insert("clock");
  if (!lost_key.empty()) states.insert("audit-key");
  if (free < config.reserve_bytes) states.insert("disk");
  const auto scan_trouble = scanner_trouble(config.scan);
  if (!scan_trouble.empty()) states.insert("scan");
  const auto collector = syslog_report(site, log, when);
  if (collector && collector->state != "ok") states.insert(collector->state);
  invocation.print(
      {{"channels", std::move(channels)},
       {"time", format_time(when)},
       {"clock_is_behind", clock_is_behind},
       {"differences", differences_json(lost, unlogged)},
       {"trust",
        {{"trouble", standing.trouble.empty() ? Json() : Json(standing.trouble)},
         {"revoked", standing.revoked},
         {"unjudged", standing.unjudged},
         {"forks", forks_json(trust_forks)}}},
       {"keys", key_standing_json(keys)},
       {"imports", {{"live", imports.live}, {"unsigned", imports.unsigned_ones}}},
       {"witnesses", witnesses_json(standings)},
       {"audit_reserve", has_room},
       {"disk", {{"free", free}, {"reserve", config.reserve_bytes}}},
       {"scan", {{"trouble", scan_trouble.empty() ? Json() : Json(scan_trouble)}}},
       {"audit_key_lost", !lost_key.empty()},
       {"audit_damage", damaged ? damage_json(*check) : Json()},
       {"collector", collector ? collector->json : Json()}},
      [&] {
        std::string out;
        if (damaged) out += damage_text(*check);
        out += lost_key + standing_text(standing) + forks_text(trust_forks) + key_standing_text(keys) +
               forks_text(histories);
        for (const auto& one : imports.unsigned_ones) out += fmt::format("UNSIGNED IMPORT: {}\n", one);
        out += rows.size() == 1 ? std::string("nothing was ingested here yet\n") : format_table(rows);
        if (imports.live > 0) out += fmt::format("without a bundle: {}\n", counted(imports.live, "import"));
        if (states.contains("overdue")) out += "overdue: no bundle came within [channel.NAME] every\n";
        const auto list = [&](const char* state, std::string_view why, const Differences& differences) {
          if (states.contains(state)) out += fmt::format("{}: {}\n", state, why);
          for (const auto& [channel, all] : differences) {
            for (const auto& one : all)
              out += "  " + printable(one.what + (one.command.empty() ? "" : ": " + one.command)) + "\n";
          }
        };
        list("catalog", "the catalog is behind the audit log: an old copy of it was restored", lost);
        list("unlogged",
             fmt::format("the audit log is behind the catalog: it was cut, begun anew, or an old copy was restored; {}",
                         ingests ? "take these again in this order, of each channel the oldest first"
                                 : "`liftlock store sync` takes the newest of the ring again, an older one stays in "
                                   "this list until it is retired"),
             unlogged);
        if (states.contains("clock")) {
          out += fmt::format(
              "clock: this machine's clock says {}, and {} is of {}: expiry cannot be judged, and one of "
              "the two clocks "
              "is wrong\n",
              format_time(when), newest->what, format_time(newest->time));
        }
        if (states.contains("disk"))
          out += fmt::format(
              "disk: {} free where the store lies, and [policy] reserve is {}: nothing can land (`liftlock gc "
              "--dry-run`, `liftlock retire --keep 3 --dry-run`)\n",
              format_size(free), format_size(config.reserve_bytes));
        if (!has_room)
          out += fmt::format(
              "disk: full, or too small to keep a reserve of {} for the audit log; what is left of it is used\n",
              format_size(k_audit_reserve));
        if (states.contains("scan")) out += fmt::format("scan: {}; no bundle and no import can land\n", scan_trouble);
        // Whether there has to be one the site decides: it is said, and is no alarm.
        if (standings.empty())
          out += "no witness is named: nothing here would show an audit log that was cut or rolled back\n";
        return out + witnesses_text(standings, when) + (collector ? collector->text : "");
      });
  const auto status = damaged ? static_cast<int>(ErrorClass::integrity) : status_of(standings);
  if (status != 0 || !states.empty() || !has_room)
    invocation.set_status(std::max(status, static_cast<int>(ErrorClass::policy)));
}

}  // namespace

void add_status(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("status", "Show each channel: its newest bundle, what is pending, withheld, overdue");
  command->footer(
      "WITHHELD is, for each bundle that landed in part, how many of its artifacts did not (SEQUENCE:COUNT).\n"
      "How often a channel brings one says config.toml: [channel.NAME] every = \"90d\". The exit status is 3 when\n"
      "something is overdue, trust is lost or revoked, users' keys are not those of the audit log, the audit log has "
      "lost its private key, a forked bundle or root statement was "
      "refused,\n"
      "catalog and audit log differ, this machine's clock is behind what was signed already, the disk is full or has\n"
      "less free than the reserve, the scanner of [scan] is missing or does not say its version, a "
      "witness of the audit log was not met, "
      "or\n"
      "audit entries wait too long for the site's collector; 4\n"
      "when the log is not what a witness saw, or `serve` found it damaged.\n"
      "Example: liftlock status --json");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
