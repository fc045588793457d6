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
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/syslog_settings.hpp"
#include "cli/witness_view.hpp"
#include "intake/record.hpp"
#include "server/log_check.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

/// A clock that runs a little behind the builder's is no alarm.
constexpr auto k_clock_slack = std::chrono::minutes(10);

/// What the audit log says of the catalog and the catalog does not, for people; by channel.
using Differences = std::map<std::string, std::vector<std::string>>;

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
      out[channel].push_back(subject + " is missing: ingest it again");
    if (!used && live.contains(subject)) out[channel].push_back(subject + " was retired: retire it again");
  }
  return out;
}

/// What has to be looked at; empty when all is well.
std::string trouble(const SiteConfig& config, const std::string& channel, const ChannelHistory& history,
                    Timestamp when) {
  if (history.newest_created && *history.newest_created > when + k_clock_slack) return "clock";
  const auto every = config.cadence.find(channel);
  if (every == config.cadence.end()) return "";
  return !history.newest_created || *history.newest_created + every->second < when ? "overdue" : "";
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
  const auto when = now();
  const auto log = open_audit_log(invocation);
  const auto standings = Meetings(site).standings(log, when);
  const auto check = log.find_last(k_log_check_event, log.name());
  const bool damaged = check && check->event.outcome == Outcome::failure;
  auto histories = channel_histories(log);
  for (const auto& [channel, every] : config.cadence) histories[channel];
  std::set<std::string> live;
  const Catalog catalog(site.catalog_file(), Access::read);
  Differences unlogged;
  const auto imports = imports_of(log, catalog);
  for (const auto& publication : catalog.publications()) {
    const auto subject = fmt::format("{}/{}", publication.channel, publication.sequence);
    live.insert(subject);
    if (publication.channel == k_import_channel) {
      if (!imports.logged.contains(subject))
        unlogged[publication.channel].push_back(subject + " is not in the audit log");
      continue;
    }
    if (histories[publication.channel].seen.contains(publication.sequence)) continue;
    unlogged[publication.channel].push_back(subject + " is not in the audit log: ingest it again");
  }
  const auto lost = behind(log, catalog, live);
  const bool has_room = has_audit_reserve(site.audit_folder());
  auto channels = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANNEL", "NEWEST", "MADE", "EXPECTED", "PENDING", "WITHHELD", "STATE"}};
  std::set<std::string> states;
  for (const auto& [channel, history] : histories) {
    const auto made = history.newest_created ? format_time(*history.newest_created) : "";
    const auto every = config.cadence.find(channel);
    const bool expected = every != config.cadence.end() && history.newest_created;
    const auto due = expected ? format_time(*history.newest_created + every->second) : "";
    const bool in_use = std::any_of(history.seen.begin(), history.seen.end(), [&](const auto& one) {
      return live.contains(fmt::format("{}/{}", channel, one.first));
    });
    const bool all_retired = !history.seen.empty() && !in_use;
    const std::string state = lost.contains(channel)       ? "catalog"
                              : unlogged.contains(channel) ? "unlogged"
                                                           : trouble(config, channel, history, when);
    if (!state.empty()) states.insert(state);
    // A person did that: it is said, and is no alarm.
    const std::string shown = !state.empty() ? state : all_retired ? "retired" : "ok";
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
                        {"made", made.empty() ? Json() : Json(made)},
                        {"expected", due.empty() ? Json() : Json(due)},
                        {"pending", history.still_pending},
                        {"withheld", std::move(withheld)},
                        {"state", shown}});
    rows.push_back({printable(channel), std::to_string(history.newest()), made, due,
                    boost::algorithm::join(pending, " "), boost::algorithm::join(withheld_of, " "), shown});
  }
  if (lost.contains(std::string(k_import_channel))) states.insert("catalog");
  if (unlogged.contains(std::string(k_import_channel))) states.insert("unlogged");
  const auto collector = syslog_report(site, log, when);
  if (collector && collector->state != "ok") states.insert(collector->state);
  invocation.print(
      {{"channels", std::move(channels)},
       {"time", format_time(when)},
       {"imports", {{"live", imports.live}, {"unsigned", imports.unsigned_ones}}},
       {"witnesses", witnesses_json(standings)},
       {"audit_reserve", has_room},
       {"audit_damage", damaged ? damage_json(*check) : Json()},
       {"collector", collector ? collector->json : Json()}},
      [&] {
        std::string out;
        if (damaged) out += damage_text(*check);
        for (const auto& one : imports.unsigned_ones) out += fmt::format("UNSIGNED IMPORT: {}\n", one);
        out += rows.size() == 1 ? std::string("nothing was ingested here yet\n") : format_table(rows);
        if (imports.live > 0) out += fmt::format("without a bundle: {}\n", counted(imports.live, "import"));
        if (states.contains("overdue")) out += "overdue: no bundle came within [channel.NAME] every\n";
        const auto list = [&](const char* state, const char* why, const Differences& differences) {
          if (states.contains(state)) out += fmt::format("{}: {}\n", state, why);
          for (const auto& [channel, lines] : differences) {
            for (const auto& line : lines) out += "  " + printable(line) + "\n";
          }
        };
        list("catalog", "the catalog is behind the audit log: an old copy of it was restored", lost);
        list("unlogged", "the audit log is behind the catalog: it was cut, or begun anew", unlogged);
        if (states.contains("clock")) {
          out += "clock: this machine's clock is behind what was signed already, so expiry cannot be judged\n";
        }
        if (!has_room) out += "disk: full, or nearly so; the audit log goes on with what is left of its reserve\n";
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
      "something is overdue, catalog and audit log differ, this machine's clock is behind what was signed already, "
      "the\n"
      "disk is full, a witness of the audit log was not met, or audit entries wait too long for the site's collector; "
      "4\n"
      "when the log is not what a witness saw, or `serve` found it damaged.\n"
      "Example: liftlock status --json");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
