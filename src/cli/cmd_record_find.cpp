#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/record_view.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  WantedRecords wanted;
  std::uint64_t count = 100;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = record_site(invocation, "record find");
  const auto log = open_audit_log(invocation);
  const auto filter = filter_of(options.wanted, log);
  auto records = Json::array();
  std::vector<std::vector<std::string>> rows{{"RECORD", "TIME", "USER", "MODEL", "ENDPOINT", "TAGS"}};
  RecordReader::Findings findings;
  bool more = false;
  recorded_effect(invocation, "record.find", "records", wanted_entry(filter), [&] {
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
  add_wanted_records(*command, options->wanted);
  command->add_option("-n,--count", options->count, "At most so many (default 100)")->check(whole_number(1, 1'000'000));
  command->footer(
      "The search is in the audit log, the text is not.\nExample: liftlock record find --user ada --from 7d");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
