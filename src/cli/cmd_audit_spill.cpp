#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/record_view.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation, const std::string& given) {
  const auto site = record_site(invocation, "audit spill");
  const auto text = text_or_stdin(given);
  if (text.empty()) fail(ErrorCode::usage, "an empty text is everywhere");
  auto records = Json::array();
  std::vector<std::vector<std::string>> rows{{"RECORD", "TIME", "USER", "MODEL", "IN"}};
  RecordReader::Findings findings;
  // The text is what leaked: the log must not keep it once more.
  const Json detail = {{"bytes", text.size()}};
  record_effect(invocation, site, "record.spill", "records", detail, [&] {
    const auto reader = open_record_reader(site);
    RecordReader::Filter filter;
    filter.text = text;
    findings = reader.find(filter, [&](const RecordHead& head) {
      const auto record = reader.read(head.id);
      std::vector<std::string> places;
      if (record.prompt.find(text) != std::string::npos) places.emplace_back("prompt");
      if (record.answer.find(text) != std::string::npos) places.emplace_back("answer");
      auto json = to_json(head);
      json["in"] = places;
      records.push_back(std::move(json));
      rows.push_back({head.id, format_time(head.time), printable(head.user), printable(head.model),
                      fmt::format("{}", fmt::join(places, " "))});
      return true;
    });
  });
  const auto found = records.size();
  Json json = {{"records", std::move(records)}};
  report_findings(invocation, findings, json);
  invocation.print(json, [&] {
    const auto searched = fmt::format("{} searched, {} without content\n", counted(findings.searched, "record"),
                                      findings.without_content);
    if (found == 0) return "the text is in no record; " + searched;
    return format_table(rows) + searched + "erase one with `liftlock record erase RECORD --reason …`\n";
  });
}

}  // namespace

void add_audit_of_side(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("spill", "List every record whose prompt or answer holds a text that leaked");
  auto text = std::make_shared<std::string>();
  command->add_option("TEXT", *text, "The text, bytewise; - reads it from stdin, away from other users' `ps`")
      ->required();
  command->footer("The search is in the audit log, the text is not.\nExample: liftlock audit spill - < leaked.txt");
  command->callback([&invocation, text] { run(invocation, *text); });
}

}  // namespace liftlock
