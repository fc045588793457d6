#include "cli/record_view.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/moment.hpp"

namespace liftlock {
namespace {

constexpr std::size_t k_max_text = 1u << 20;

}  // namespace

Site record_site(const Invocation& invocation, std::string_view command) {
  auto site = invocation.site();
  site.require_zone(command, {Zone::ingest, Zone::production});
  record_config(invocation, site);
  return site;
}

RecordReader open_record_reader(const Site& site) {
  return {site.records_folder(), site.record_key_file()};
}

bool WantedRecords::any() const {
  return !filter.user.empty() || !filter.model.empty() || !filter.tag.empty() || !filter.text.empty() ||
         !from.empty() || !to.empty();
}

void add_wanted_records(CLI::App& command, WantedRecords& wanted) {
  command.add_option("--user", wanted.filter.user, "Whose")->type_name("U");
  command.add_option("--model", wanted.filter.model, "Of which model")->type_name("M");
  command.add_option("--tag", wanted.filter.tag, "With this subject tag")->type_name("T");
  command.add_option("--text", wanted.filter.text, "Whose prompt, answer or tags hold this; - reads it from stdin")
      ->type_name("S");
  command.add_option("--from", wanted.from, "Begun then or later: 2026-11-23, a time, or 30d for so long ago")
      ->type_name("T");
  command.add_option("--to", wanted.to, "Begun then or earlier; a day is meant to its end (UTC)")->type_name("T");
}

RecordReader::Filter filter_of(const WantedRecords& wanted, const AuditLog& log) {
  auto filter = wanted.filter;
  filter.log = &log;
  filter.text = text_or_stdin(filter.text);
  if (!wanted.from.empty()) filter.from = parse_moment(wanted.from, "--from", Day::begins);
  if (!wanted.to.empty()) filter.to = parse_moment(wanted.to, "--to", Day::last_second);
  if (filter.from && filter.to && *filter.from > *filter.to) fail(ErrorCode::usage, "--from is after --to");
  return filter;
}

Json wanted_entry(const RecordReader::Filter& filter) {
  Json entry = {
      {"user", filter.user}, {"model", filter.model}, {"tag", !filter.tag.empty()}, {"text", !filter.text.empty()}};
  if (filter.from) entry["from"] = format_time(*filter.from);
  if (filter.to) entry["to"] = format_time(*filter.to);
  return entry;
}

std::string text_or_stdin(const std::string& text) {
  if (text != "-") return text;
  std::string out;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(STDIN_FILENO, buffer, sizeof buffer)) != 0;) {
    if (count < 0) fail_errno("read standard input");
    out.append(buffer, static_cast<std::size_t>(count));
    if (out.size() > k_max_text) fail(ErrorCode::limit_exceeded, "a text of more than {} bytes", k_max_text);
  }
  if (out.ends_with('\n')) out.pop_back();
  // What was to be piped in may have failed; and who erases what has such a text would erase all.
  if (trim(out).empty()) fail(ErrorCode::usage, "an empty text is everywhere");
  return out;
}

void report_findings(Invocation& invocation, const RecordReader::Findings& findings, Json& json) {
  json["searched"] = findings.searched;
  json["without_content"] = findings.without_content;
  json["damaged"] = findings.damaged;
  if (findings.damaged.empty()) return;
  invocation.reporter().warn(fmt::format("{} could not be read; the first is {}: see `liftlock record verify {}`",
                                         counted(findings.damaged.size(), "record"), findings.damaged.front(),
                                         findings.damaged.front()));
  invocation.set_status(static_cast<int>(ErrorClass::integrity));
}

void add_record(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("record", "Find, read, check, hold and erase what was asked and answered");
  group->require_subcommand(1);
  add_record_find(*group, invocation);
  add_record_show(*group, invocation);
  add_record_verify(*group, invocation);
  add_record_keep(*group, invocation);
  add_record_expire(*group, invocation);
}

}  // namespace liftlock
