#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/moment.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  RecordReader::Filter filter;
  std::string from, to;
  std::uint64_t count = 100;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = record_site(invocation, "record find");
  const auto log = open_audit_log(invocation);
  auto filter = options.filter;
  filter.log = &log;
  filter.text = text_or_stdin(filter.text);
  if (!options.from.empty()) filter.from = parse_moment(options.from, "--from", Day::begins);
  if (!options.to.empty()) filter.to = parse_moment(options.to, "--to", Day::last_second);
  if (filter.from && filter.to && *filter.from > *filter.to) fail(ErrorCode::usage, "--from is after --to");
  // The text that is looked for is content itself, and so is a tag: the log holds only that there was one.
  const Json detail = {
      {"user", filter.user}, {"model", filter.model}, {"tag", !filter.tag.empty()}, {"text", !filter.text.empty()}};
  auto records = Json::array();
  std::vector<std::vector<std::string>> rows{{"RECORD", "TIME", "USER", "MODEL", "ENDPOINT", "TAGS"}};
  RecordReader::Findings findings;
  bool more = false;
  recorded_effect(invocation, "record.find", "records", detail, [&] {
    findings = open_record_reader(site).find(filter, [&](const RecordHead& head) {
      more = records.size() == options.count;
      if (more) return false;
      records.push_back(to_json(head));
      rows.push_back({head.id, format_time(head.time), printable(head.user), printable(head.model),
                      printable(head.endpoint), printable(fmt::format("{}", fmt::join(head.tags, " ")))});
      return true;
    });
  });
  const auto found = records.size();
  Json json = {{"records", std::move(records)}, {"more", more}};
  report_findings(invocation, findings, json);
  if (more) invocation.reporter().note(fmt::format("only the first {}: see --count", found));
  invocation.print(json, [&] {
    const auto searched = counted(findings.searched, "record");
    return (found == 0 ? fmt::format("none of {} fits", searched) : format_table(rows) + searched + " searched") +
           fmt::format(", {} without content\n", findings.without_content);
  });
}

}  // namespace

void add_record_find(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("find", "List records, newest first; decrypts what it searches");
  auto options = std::make_shared<Options>();
  command->add_option("--user", options->filter.user, "Whose")->type_name("U");
  command->add_option("--model", options->filter.model, "Of which model")->type_name("M");
  command->add_option("--tag", options->filter.tag, "With this subject tag")->type_name("T");
  command->add_option("--text", options->filter.text, "Whose prompt, answer or tags hold this; - reads it from stdin")
      ->type_name("S");
  command->add_option("--from", options->from, "Begun then or later: 2026-11-23, a time, or 30d for so long ago")
      ->type_name("T");
  command->add_option("--to", options->to, "Begun then or earlier; a day is meant to its end (UTC)")->type_name("T");
  command->add_option("-n,--count", options->count, "At most so many (default 100)")->check(whole_number(1, 1'000'000));
  command->footer(
      "The search is in the audit log, the text is not.\nExample: liftlock record find --user ada --from 7d");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
