#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "audit/audit_entry.hpp"
#include "audit/written_between.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/channel.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "cli/moment.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {
namespace {

/// Written for each prompt, recording, login and download: they are counted, and listed only on demand.
constexpr std::array<std::string_view, 6> k_bulk = {"mirror.read", "prompt.record", "access.login",
                                                    "sshd.login",  "model.load",    "engine.start"};
/// Of those, what an auditor wants to see where it was refused.
constexpr std::array<std::string_view, 2> k_seldom_refused = {"model.load", "engine.start"};
/// More than a person reads, and than memory should hold.
constexpr std::size_t k_max_rows = 200'000;

struct Options {
  std::string from;
  std::string to;
  bool all = false;
  bool csv = false;
};

enum class Weight : std::uint8_t { override_, rule, refused, unfinished, done };

std::string_view word(Weight weight) {
  constexpr std::array<std::string_view, 5> k_names = {"override", "rule", "refused", "unfinished", "done"};
  return k_names.at(static_cast<std::size_t>(weight));
}

struct Row {
  AuditEntry entry;
  Weight weight = Weight::done;
  std::string remark;  ///< for people: why a rule was overridden, the error, what was scanned
};

/// By what a command was judged before is not what it is judged by from here on.
bool changes_rules(const AuditEvent& event, const Json& detail) {
  if (event.type == k_config_event) return detail.contains("changed");
  return event.type == "trust.pin" || event.type == "trust.update";
}

/// One of the records that a search found and a command held, released or erased: `records` stands for all of them.
bool is_one_of_many(const AuditEvent& event) {
  return event.type.starts_with("record.") && event.subject != "records" && event.outcome != Outcome::failure &&
         parse_json(event.detail).contains("chosen_by");
}

/// The digest of the fork that an entry tells of; empty for any other entry.
std::string fork_of(const AuditEvent& event, const Json& detail) {
  if (event.type == k_trust_fork_event) return event.subject;
  const bool is_fork = event.type == k_ingest_event && event.outcome == Outcome::failure &&
                       detail.value("code", "") == info(ErrorCode::forked).slug;
  return is_fork ? detail.value("bundle", "") : std::string();
}

/// Which two there are. The refusal of a bundle has that in its message.
std::string two_of(const AuditEvent& event, const Json& detail) {
  if (event.type != k_trust_fork_event) return detail.value("message", "");
  std::vector<std::string> keys;
  for (const auto& id : detail.value("signed_by", std::vector<std::string>())) keys.push_back(id.substr(0, 16));
  return fmt::format("root statement {} is followed as {}, and this one is {}, signed by {}",
                     detail.value("version", std::uint64_t{0}), detail.value("followed", ""), event.subject,
                     fmt::join(keys, ", "));
}

/// An effect that was announced, and of which neither success nor failure followed.
using Pending = std::map<std::pair<std::string, std::string>, std::size_t>;

/// " 0 → 1"; empty for what has no two values, or long ones.
std::string from_to(const Json& values) {
  constexpr std::size_t k_short = 60;
  if (!values.is_array() || values.size() != 2) return {};
  const auto before = values[0].dump(), after = values[1].dump();
  return before.size() + after.size() > k_short ? std::string() : fmt::format(" {} → {}", before, after);
}

std::string remark_of(const AuditEntry& entry, const Json& detail) {
  std::string out;
  const auto add = [&](const std::string& text) { out += (out.empty() ? "" : "; ") + text; };
  if (detail.contains("remark")) add(detail.value("remark", ""));
  if (entry.event.type.starts_with("trust.") && detail.contains("change")) {
    const auto what = detail.value("key", detail.value("role", ""));
    add(detail.value("change", "") + (what.empty() ? "" : " " + what));
  }
  for (const auto* member : {"code", "error"}) {
    if (detail.contains(member) && detail[member].is_string()) add(detail.value(member, ""));
  }
  if (entry.event.type == "access.login") add("from " + detail.value("peer", ""));
  if (entry.event.type == "sshd.login" && detail.contains("user"))
    add(fmt::format("{} of {}", detail.value("method", ""), detail.value("user", "")));
  if (entry.event.type == "sshd.login" && detail.contains("time")) add("at " + detail.value("time", ""));
  if (detail.contains("reason") && detail["reason"].is_string()) add(detail.value("reason", ""));
  if (detail.contains("why") && detail["why"].is_string()) add(detail.value("why", ""));
  if (const auto changed = detail.find("changed"); changed != detail.end() && changed->is_object()) {
    std::vector<std::string> words;
    for (const auto& [key, values] : changed->items()) words.push_back(key + from_to(values));
    add(fmt::format("changed: {}", fmt::join(words, ", ")));
  }
  if (const auto people = detail.find("approved_by"); people != detail.end() && people->is_array())
    add(fmt::format("approved by {}", fmt::join(people->get<std::vector<std::string>>(), ", ")));
  if (detail.contains("expedited")) add("expedited: " + detail.value("expedited", ""));
  if (detail.contains("withheld")) add(fmt::format("withheld: {}", detail["withheld"].dump()));
  if (const auto scan = detail.find("scan"); scan != detail.end() && scan->is_object()) {
    add(fmt::format("scanned with {}: {} found, {} not scanned", scan->value("scanner", ""),
                    scan->value("found", Json::array()).size(), scan->value("not_scanned_files", 0)));
  }
  if (!fork_of(entry.event, detail).empty()) {
    add(two_of(entry.event, detail));
  } else if (entry.event.type == k_ingest_event && detail.contains("bundle")) {
    add(detail.value("bundle", ""));
  }
  return out;
}

class Report {
 public:
  Report(const AuditLog& log, const Options& options) {
    const auto begin = options.from.empty() ? Timestamp::min() : parse_moment(options.from, "--from", Day::begins);
    const auto end = options.to.empty() ? Timestamp::max() : parse_moment(options.to, "--to", Day::ends);
    if (begin > end) fail(ErrorCode::usage, "--from is after --to");
    const auto is_within = [&](const AuditEntry& entry) { return entry.time >= begin && entry.time < end; };
    std::vector<Timestamp> times;
    times.reserve(log.size());
    log.for_each(0, log.size(), [&](const AuditEntry& entry) {
      times.push_back(entry.time);
      return true;
    });
    const auto is_of_period = written_between(times, begin, end);
    log.for_each(0, is_of_period.size(), [&](const AuditEntry& entry) {
      if (is_of_period[entry.index]) {
        add(entry, options.all, is_within(entry));
      } else {
        pass_by(entry.event);
      }
      // Also after the period: what a person settled asks nothing of anybody any more.
      if (ends_fork_alarm(entry.event)) m_forks.erase(entry.event.subject);
      return true;
    });
    for (const auto& [digest, index] : m_forks) {
      rows[index].remark += fmt::format(
          "; find out which of the two is false, then `liftlock settle {} --reason TEXT` ends the alarm", digest);
    }
    for (const auto& [what, index] : m_pending) m_never_ended.push_back(index);
    for (const auto index : m_never_ended) rows[index].weight = Weight::unfinished;
    std::erase_if(rows, [](const Row& row) {
      return row.entry.event.outcome == Outcome::intent && row.weight != Weight::unfinished;
    });
    // What an auditor must not miss comes first.
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; });
  }

  std::vector<Row> rows;
  std::map<std::string, std::uint64_t> counts;  ///< by type
  std::optional<Timestamp> first, last;

 private:
  void add(const AuditEntry& entry, bool all, bool is_within) {
    const auto& event = entry.event;
    if (is_within) {
      if (!first) first = entry.time;
      last = entry.time;
    }
    if (event.outcome != Outcome::intent) ++counts[event.type];
    if (event.type == "sshd.login" && event.outcome == Outcome::failure) ++counts["sshd.login, failed"];
    const auto is_in = [&](const auto& types) {
      return std::find(types.begin(), types.end(), event.type) != types.end();
    };
    const bool is_refusal = event.outcome == Outcome::failure && is_in(k_seldom_refused);
    if (!all && !is_refusal && (is_in(k_bulk) || is_one_of_many(event))) return;
    if (rows.size() == k_max_rows) {
      throw Error(ErrorCode::limit_exceeded, fmt::format("more than {} entries", k_max_rows),
                  "choose a shorter time with --from and --to");
    }
    const auto what = std::pair(event.type, event.subject);
    if (event.outcome == Outcome::intent) {
      m_pending[what] = rows.size();
    } else {
      m_pending.erase(what);
    }
    const auto detail = parse_json(event.detail);
    const auto weight = event.outcome == Outcome::failure ? Weight::refused
                        : detail.contains("remark")       ? Weight::override_
                        : changes_rules(event, detail)    ? Weight::rule
                                                          : Weight::done;
    auto remark = remark_of(entry, detail);
    if (!is_within) remark = "dated outside the time that was asked for" + (remark.empty() ? "" : "; " + remark);
    if (const auto fork = fork_of(event, detail); !fork.empty()) m_forks[fork] = rows.size();
    rows.push_back({entry, weight, std::move(remark)});
  }

  /// What was begun in that time may have ended outside of it.
  void pass_by(const AuditEvent& event) {
    const auto found = m_pending.find(std::pair(event.type, event.subject));
    if (found == m_pending.end()) return;
    // Begun once more: what follows ends that one.
    if (event.outcome == Outcome::intent) m_never_ended.push_back(found->second);
    m_pending.erase(found);
  }

  Pending m_pending;
  std::vector<std::size_t> m_never_ended;      ///< rows
  std::map<std::string, std::size_t> m_forks;  ///< that nobody settled: the row that tells of each last
};

/// Stays JSON where print() escapes what would act on a terminal.
std::string printable_json(const std::string& text) {
  return printable(text) == text ? text : parse_json(text).dump(-1, ' ', true);
}

/// RFC 4180, but lines end with '\n' alone: print() escapes the other one. What a spreadsheet would take for a formula
/// gets a quote in front.
std::string csv_cell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) text.insert(0, "'");
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string to_csv(const Report& report) {
  std::string out = "weight,entry,time,type,outcome,subject,actor,remark,detail\n";
  for (const auto& [entry, weight, remark] : report.rows) {
    const auto& event = entry.event;
    out += fmt::format("{},{},{},{},{},{},{},{},{}\n", word(weight), entry.index, format_time(entry.time),
                       csv_cell(event.type), name(event.outcome), csv_cell(event.subject), csv_cell(event.actor),
                       csv_cell(remark), csv_cell(printable_json(event.detail)));
  }
  return out;
}

Json to_json(const Report& report, const std::string& checkpoint) {
  auto rows = Json::array();
  for (const auto& row : report.rows) {
    auto one = to_json(row.entry);
    one["weight"] = word(row.weight);
    one["remark"] = row.remark;
    rows.push_back(std::move(one));
  }
  return {{"first", report.first ? Json(format_time(*report.first)) : Json()},
          {"last", report.last ? Json(format_time(*report.last)) : Json()},
          {"entries", std::move(rows)},
          {"counts", report.counts},
          {"checkpoint", checkpoint}};
}

std::string to_text(const Report& report, const std::string& checkpoint) {
  constexpr std::array<std::string_view, 5> k_titles = {"OVERRIDES", "RULES CHANGED", "REFUSED",
                                                        "BEGUN AND NEVER ENDED", "DONE"};
  std::string out;
  for (const auto weight : {Weight::override_, Weight::rule, Weight::refused, Weight::unfinished, Weight::done}) {
    std::vector<std::vector<std::string>> table{{"ENTRY", "TIME", "TYPE", "SUBJECT", "ACTOR", "REMARK"}};
    for (const auto& row : report.rows) {
      if (row.weight != weight) continue;
      const auto& event = row.entry.event;
      table.push_back({std::to_string(row.entry.index), format_time(row.entry.time), event.type,
                       printable(event.subject), printable(event.actor), printable(row.remark)});
    }
    out += fmt::format("{}: {}\n", k_titles.at(static_cast<std::size_t>(weight)), table.size() - 1);
    if (table.size() > 1) out += format_table(table);
    out += "\n";
  }
  out += "COUNTS\n";
  for (const auto& [type, count] : report.counts) out += fmt::format("{:>10}  {}\n", count, type);
  return out + "\nCHECKPOINT\n" + checkpoint;
}

void run(Invocation& invocation, const Options& options) {
  if (options.csv && invocation.json()) fail(ErrorCode::usage, "either --json or --csv");
  const auto log = open_audit_log(invocation);
  const Report report(log, options);
  invocation.print(to_json(report, log.checkpoint()),
                   [&] { return options.csv ? to_csv(report) : to_text(report, log.checkpoint()); });
}

}  // namespace

void add_audit_report(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("report", "What happened between two days, for an auditor: overrides first");
  auto options = std::make_shared<Options>();
  command->add_option("--from", options->from, "A day, a time, or how long ago: 2026-11-01, 90d (default: the first)")
      ->type_name("TIME");
  command->add_option("--to", options->to, "The same; a day is meant to its end (default: the last)")
      ->type_name("TIME");
  command->add_flag(
      "--all", options->all,
      "List each login, download, prompt, model load and record of many that were held or erased too, not "
      "only their number");
  command->add_flag("--csv", options->csv, "As CSV for a spreadsheet");
  command->footer(
      "Then changed rules (config.toml, trust), what was refused, what was begun and never ended, and the rest.\n"
      "What a wrong clock dated elsewhere is listed where it was, or may have been, written. `liftlock audit verify`\n"
      "checks the log; the report ends with its checkpoint, which can be compared with one that was kept elsewhere.\n"
      "Example: liftlock audit report --from 2026-10-01 --to 2026-12-31 --csv");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
