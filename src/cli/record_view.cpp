#include "cli/record_view.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"

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
