#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/interrupt.hpp"
#include "cli/store_view.hpp"
#include "store/maintenance.hpp"

namespace liftlock {
namespace {

/// As many findings as an audit entry can hold with room to spare; the command's output has them all.
constexpr std::size_t k_audited_findings = 100;

struct Options {
  bool quarantine = false;
};

Json to_json(const ScrubFinding& finding) {
  Json out = {
      {"kind", name(finding.kind)}, {"subject", finding.subject}, {"detail", finding.detail}, {"users", finding.users}};
  if (!finding.quarantined_at.empty()) out["quarantined_at"] = finding.quarantined_at;
  return out;
}

/// What to do about the findings, in the order in which to do it.
std::vector<std::string> next_steps(const ScrubReport& report, Zone zone) {
  using Kind = ScrubFinding::Kind;
  const auto any = [&](const auto& is) { return std::any_of(report.findings.begin(), report.findings.end(), is); };
  const auto is_bad = [](const auto& f) { return f.kind == Kind::corrupt || f.kind == Kind::unreadable; };
  std::vector<std::string> steps;
  if (any([&](const auto& f) { return is_bad(f) && f.quarantined_at.empty(); }))
    steps.emplace_back("move the bad blobs out of the way with `liftlock scrub --quarantine`");
  if (any([&](const auto& f) { return is_bad(f) || f.kind == Kind::missing; })) {
    steps.emplace_back(zone == Zone::low
                           ? "get them again with `liftlock fetch`"
                           : "ingest the bundles that brought them again, by the same commands as before");
  }
  if (any([](const auto& f) { return f.kind == Kind::wrong_size; }))
    steps.emplace_back("restore the catalog (store/catalog.db) from a backup: the bytes are sound, and it is not");
  if (any([](const auto& f) { return f.kind == Kind::stray; }))
    steps.emplace_back("find out who put the stray files there; nothing reads them");
  return steps;
}

std::string describe(const ScrubReport& report, const std::vector<std::string>& steps) {
  auto out = fmt::format("{}, {}: {}", counted(report.blobs, "blob"), format_size(report.bytes),
                         report.findings.empty() ? "all sound" : counted(report.findings.size(), "finding"));
  for (const auto& finding : report.findings) {
    out += fmt::format("\n{}: {}: {}", name(finding.kind), printable(finding.subject), printable(finding.detail));
    for (const auto& user : finding.users) out += fmt::format("\n  harms {}", printable(user));
    if (!finding.quarantined_at.empty()) out += fmt::format("\n  moved to {}", printable(finding.quarantined_at));
  }
  for (const auto& step : steps) out += "\nnext: " + step;
  return out;
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto site = invocation.site();
  OpenStore store(site, "scrub", Access::write);
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  const auto tell = [&](Outcome outcome, const Json& detail) {
    log.append({.type = "store.scrub",
                .actor = invocation.actor(),
                .outcome = outcome,
                .subject = "store",
                .detail = dump_json_line(detail)});
  };
  if (options.quarantine) tell(Outcome::intent, {{"quarantine", true}});
  const auto report =
      scrub(store.blobs, store.catalog, options.quarantine ? Quarantine::yes : Quarantine::no, invocation.reporter());
  Json findings = Json::array();
  for (const auto& finding : report.findings) findings.push_back(to_json(finding));
  Json audited = Json::array();
  for (std::size_t i = 0; i < std::min(report.findings.size(), k_audited_findings); ++i) {
    audited.push_back(
        {{"kind", name(report.findings[i].kind)}, {"subject", report.findings[i].subject.substr(0, 300)}});
  }
  const Json summary = {{"blobs", report.blobs}, {"bytes", report.bytes}, {"count", report.findings.size()}};
  auto detail = summary;
  detail["findings"] = audited;
  tell(report.findings.empty() ? Outcome::success : Outcome::failure, detail);
  store.catalog.set_fact("scrub.last", dump_json_line({{"time", format_time(now())}, {"result", summary}}));
  auto json = summary;
  json["findings"] = findings;
  const auto steps = next_steps(report, site.config().zone);
  json["next"] = steps;
  invocation.print(json, [&] { return describe(report, steps); });
  if (!report.findings.empty()) invocation.set_status(static_cast<int>(ErrorClass::integrity));
}

}  // namespace

void add_store_scrub(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("scrub", "Read every blob from the disk and compare it with its name");
  auto options = std::make_shared<Options>();
  command->add_flag("--quarantine", options->quarantine,
                    "Move corrupt blobs out of the way, to STATE/store/quarantine");
  command->footer(
      "Finds bit rot, blobs that are missing, and files that are none. Exit status 4 when something was found.\n"
      "Example: liftlock scrub --quarantine --json");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
