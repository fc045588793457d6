#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_entry.hpp"
#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/channel.hpp"
#include "bundle/verify.hpp"
#include "cli/bundle_view.hpp"
#include "cli/commands.hpp"
#include "os/medium.hpp"
#include "trust/logged_trust.hpp"
#include "trust/trust.hpp"

namespace liftlock {
namespace {

/// Of a list, so that the sheet stays a page.
constexpr std::size_t k_max_lines = 10;

struct Options {
  std::string bundle;
  std::string ticket;
};

struct Kind {
  std::size_t artifacts = 0;
  std::uint64_t bytes = 0;
};

/// "engine:llama-cpu@8941-1 (cpu, amd64)": what must fit the receiver's hardware.
std::string engine_words(const Artifact& engine) {
  std::vector<std::string> facts;
  for (const auto* key : {"variant", "architecture"}) {
    const auto found = engine.facts.find(key);
    if (found != engine.facts.end() && found->is_string()) facts.push_back(found->get<std::string>());
  }
  return facts.empty() ? engine.id() : fmt::format("{} ({})", engine.id(), fmt::join(facts, ", "));
}

/// The rules of its publishers that whoever locked it overrode. An engine's evidence has that of what it was made of.
void add_exceptions(const Json& evidence, std::set<std::string>& out) {
  if (!evidence.is_structured()) return;
  if (const auto found = evidence.find("exception"); found != evidence.end() && found->is_string())
    out.insert(found->get<std::string>());
  for (const auto& one : evidence) add_exceptions(one, out);
}

std::set<std::string> exceptions_of(const Artifact& artifact) {
  std::set<std::string> out;
  for (const auto& file : artifact.files) {
    for (const auto& evidence : file.evidence) add_exceptions(evidence.details, out);
  }
  return out;
}

/// What this installation's own log says of the bundle: how it landed, else why it did not.
Json ingest_of(const Site& site, const BundleReader& bundle) {
  if (!site.exists() || !fs::exists(site.audit_folder() / "checkpoint")) return nullptr;
  const auto subject = fmt::format("{}/{}", bundle.info().channel, bundle.info().sequence);
  const auto log = AuditLog::open_to_read(site.audit_folder());
  const auto last = [&](Outcome outcome) {
    return log.find_last(k_ingest_event, subject, [&](const AuditEntry& one) {
      return one.event.outcome == outcome && parse_json(one.event.detail).value("bundle", "") == bundle.digest().text();
    });
  };
  // That it landed stays true when it was refused once more since.
  auto entry = last(Outcome::success);
  if (!entry) entry = last(Outcome::failure);
  if (!entry) return nullptr;
  const auto detail = parse_json(entry->event.detail);
  const auto scan = detail.find("scan");
  return {{"entry", entry->index},
          {"time", format_time(entry->time)},
          {"actor", entry->event.actor},
          {"outcome", name(entry->event.outcome)},
          {"code", detail.value("code", "")},
          {"overrides", detail.value("remark", "")},
          {"scan", scan == detail.end() ? Json() : *scan}};
}

Json sheet_of(const Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  BundleReader bundle(options.bundle);
  bundle.load_lists();
  std::map<std::string, Kind> kinds;
  auto engines = Json::array();
  std::map<std::string, std::size_t> exceptions;  // with the number of artifacts
  for (const auto& artifact : bundle.artifacts()) {
    for (const auto& exception : exceptions_of(artifact)) ++exceptions[exception];
    if (artifact.kind == "engine") engines.push_back(engine_words(artifact));
    auto& kind = kinds[artifact.kind];
    ++kind.artifacts;
    kind.bytes += artifact.total_size();
  }
  auto contents = Json::array();
  for (const auto& [kind, sum] : kinds) {
    contents.push_back({{"kind", kind}, {"artifacts", sum.artifacts}, {"bytes", sum.bytes}});
  }
  auto upstream = Json::array();
  for (const auto& [what, count] : exceptions) upstream.push_back({{"exception", what}, {"artifacts", count}});
  // Judged by the pinned root where there is one; the sheet says when nobody judged.
  const auto trust = trust_of(site);
  auto signatures = Json::array();
  const bool judged = !trust.empty();
  std::optional<TrustRoot> root;
  if (judged) {
    root = judge_chain(trust.pinned_chain(), bundle.trust_statements(), now());
    signatures = signatures_json(judge(bundle.bundle_json(), bundle.signatures(), *root, now()));
  } else {
    for (const auto& file : bundle.signatures()) signatures.push_back({{"file", file.name}, {"status", "not judged"}});
  }
  auto withheld = Json::array();
  if (const auto carried = read_withheld(bundle.folder())) {
    check_withheld(carried->withheld, bundle);
    if (root) require_scanner(*carried, *root, now());
    for (const auto& file : carried->withheld.files) {
      withheld.push_back({{"path", file.path.text()}, {"reason", file.reason}});
    }
  }
  const auto medium = medium_of(bundle.folder());
  const auto& info = bundle.info();
  return {{"channel", info.channel},
          {"sequence", info.sequence},
          {"digest", bundle.digest().text()},
          {"created", format_time(info.creation_date)},
          {"creator", info.creator},
          {"low_side_host", info.low_side_host},
          {"expedited", info.expedited},
          {"expires", info.expires ? Json(format_time(*info.expires)) : Json()},
          {"files", info.content_files},
          {"bytes", info.content_bytes},
          {"left_out",
           info.builds_on ? Json({{"files", info.builds_on->files}, {"bytes", info.builds_on->bytes}}) : Json()},
          {"contents", std::move(contents)},
          {"engines", std::move(engines)},
          {"exceptions", std::move(upstream)},
          {"signatures_judged", judged},
          {"signatures", std::move(signatures)},
          {"withheld", std::move(withheld)},
          {"medium", {{"device", medium.device}, {"model", medium.model}, {"serial", medium.serial}}},
          {"ticket", options.ticket},
          {"ingest", ingest_of(site, bundle)},
          {"printed", format_time(now())},
          {"printed_by", invocation.actor()}};
}

std::string or_line(const std::string& text) {
  return text.empty() ? "______________________" : printable(text);
}

std::string text_of(const Json& json, const char* key) {
  return json[key].is_string() ? printable(json[key].get<std::string>()) : "";
}

std::string overrides_text(const Json& sheet) {
  const auto& ingest = sheet["ingest"];
  std::vector<std::string> lines;
  if (!ingest.is_null() && !text_of(ingest, "overrides").empty()) lines.push_back(text_of(ingest, "overrides"));
  const auto& exceptions = sheet["exceptions"];
  for (std::size_t i = 0; i < std::min(exceptions.size(), k_max_lines); ++i) {
    lines.push_back(fmt::format("{} ({})", text_of(exceptions[i], "exception"),
                                counted(exceptions[i]["artifacts"].get<std::uint64_t>(), "artifact")));
  }
  if (exceptions.size() > k_max_lines) lines.push_back(counted(exceptions.size() - k_max_lines, "more exception"));
  if (lines.empty()) lines.push_back("none recorded here");
  return fmt::format("OVERRIDES    {}\n\n", fmt::join(lines, "\n             "));
}

std::string scan_text(const Json& sheet) {
  std::string out;
  const auto& ingest = sheet["ingest"];
  if (ingest.is_null()) {
    out = "not ingested here: no scan of this side\n";
  } else if (ingest["scan"].is_null()) {
    out = fmt::format("ingest at {} ended with {}; no scanner is configured\n", text_of(ingest, "time"),
                      text_of(ingest, "outcome"));
  } else {
    const auto& scan = ingest["scan"];
    out = fmt::format("{}: {} files, {} found, {} not scanned ({}, entry {} of the audit log: {})\n",
                      or_line(text_of(scan, "scanner")), scan.value("files", 0), scan["found"].size(),
                      scan.value("not_scanned_files", 0), text_of(ingest, "time"), ingest["entry"].dump(),
                      text_of(ingest, "outcome"));
  }
  std::size_t lines = 0;
  for (const auto& file : sheet["withheld"]) {
    if (++lines <= k_max_lines)
      out += fmt::format("             withheld: {} ({})\n", text_of(file, "path"), text_of(file, "reason"));
  }
  if (lines > k_max_lines) {
    out += fmt::format("             and {} more, which `liftlock verify` lists\n",
                       counted(lines - k_max_lines, "withheld file"));
  }
  return "SCAN         " + out;
}

std::string signatures_text(const Json& sheet) {
  std::string out;
  std::size_t lines = 0;
  for (const auto& signature : sheet["signatures"]) {
    if (++lines > k_max_lines) continue;
    out += out.empty() ? "SIGNED BY    " : "             ";
    out += sheet["signatures_judged"].get<bool>()
               ? fmt::format("{} ({}): {}, key {}\n", text_of(signature, "owner"), text_of(signature, "role"),
                             text_of(signature, "status"), text_of(signature, "key").substr(0, 16))
               : fmt::format("{}: not judged, no trust root is pinned here\n", text_of(signature, "file"));
  }
  if (lines > k_max_lines) {
    out += fmt::format("             and {} more, which `liftlock inspect` lists\n",
                       counted(lines - k_max_lines, "signature"));
  }
  return out.empty() ? "SIGNED BY    nobody\n" : out;
}

/// Without one a model answers nobody, and a checklist of models alone forgets it.
std::string engines_text(const Json& sheet) {
  const auto& engines = sheet["engines"];
  if (engines.empty()) {
    const auto& contents = sheet["contents"];
    const bool models =
        std::any_of(contents.begin(), contents.end(), [](const auto& kind) { return kind["kind"] == "model"; });
    return models
               ? "ENGINES      none travels: the models need one that the receiver has (`liftlock engine ls` there)\n"
               : "";
  }
  std::string out;
  for (std::size_t i = 0; i < std::min(engines.size(), k_max_lines); ++i) {
    out += out.empty() ? "ENGINES      " : "             ";
    out += printable(engines[i].get<std::string>()) + "\n";
  }
  if (engines.size() > k_max_lines) {
    out += fmt::format("             and {} more, which `liftlock inspect` lists\n",
                       counted(engines.size() - k_max_lines, "engine"));
  }
  return out;
}

std::string to_text(const Json& sheet) {
  std::string out = fmt::format("TRANSFER SHEET   {}/{}\n\n", text_of(sheet, "channel"), sheet["sequence"].dump());
  out += overrides_text(sheet);
  out += fmt::format("DIGEST       {}\n             (SHA-256 of manifest/bundle.json; compare it by another way)\n",
                     Digest::parse(text_of(sheet, "digest")).spoken());
  out += fmt::format("MADE         {} by {} on {}\n", text_of(sheet, "created"), text_of(sheet, "creator"),
                     text_of(sheet, "low_side_host"));
  if (const auto why = text_of(sheet, "expedited"); !why.empty()) out += fmt::format("EXPEDITED    {}\n", why);
  out += fmt::format("VALID UNTIL  {}\n",
                     sheet["expires"].is_null() ? "no end" : format_end(parse_time(text_of(sheet, "expires"))));
  out += signatures_text(sheet);
  out += fmt::format("TICKET       {}\n", or_line(text_of(sheet, "ticket")));
  const auto& medium = sheet["medium"];
  out += fmt::format("MEDIUM       {}, serial {} (device {})\n\n", or_line(text_of(medium, "model")),
                     or_line(text_of(medium, "serial")), or_line(text_of(medium, "device")));
  std::vector<std::vector<std::string>> rows{{"CONTENTS", "ARTIFACTS", "SIZE"}};
  for (const auto& kind : sheet["contents"]) {
    rows.push_back({text_of(kind, "kind"), kind["artifacts"].dump(), format_size(kind["bytes"].get<std::uint64_t>())});
  }
  out += format_table(rows);
  out += engines_text(sheet);
  out += fmt::format("travelling: {}, {}\n", counted(sheet["files"].get<std::uint64_t>(), "file"),
                     format_size(sheet["bytes"].get<std::uint64_t>()));
  out += "no byte of the content was read for this page: `liftlock verify` says whether it is whole\n";
  if (!sheet["left_out"].is_null()) {
    out += fmt::format("left out, for the receiver has it: {}, {}\n",
                       counted(sheet["left_out"]["files"].get<std::uint64_t>(), "file"),
                       format_size(sheet["left_out"]["bytes"].get<std::uint64_t>()));
  }
  out += "\n" + scan_text(sheet) + "\n";
  for (const auto* who : {"PREPARED BY", "APPROVED BY", "CARRIED BY", "RECEIVED BY"}) {
    out +=
        fmt::format("{:<12} name ______________________  date ______________  signature __________________\n\n", who);
  }
  return out + fmt::format("printed {} by {}\n", text_of(sheet, "printed"), text_of(sheet, "printed_by"));
}

void run(Invocation& invocation, const Options& options) {
  const auto sheet = sheet_of(invocation, options);
  invocation.print(sheet, [&] { return to_text(sheet); });
}

void add_sheet(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("sheet", "Print the page that people sign when a bundle crosses");
  auto options = std::make_shared<Options>();
  command->add_option("BUNDLE", options->bundle, "Folder of the bundle, on its medium")->required();
  command->add_option("--ticket", options->ticket, "The number under which the crossing was asked for")
      ->type_name("TEXT");
  command->footer(
      "Overrides, digest, signers, medium and its serial number, contents, engines, what scanners said on this side, "
      "and\n"
      "lines to sign on. It verifies signatures where a trust root is pinned, and no files: `liftlock verify` does.\n"
      "Example: liftlock transfer sheet /mnt/usb/demo-7 --ticket CHG-4711 | lp");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace

void add_transfer(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("transfer", "The paper that goes with a crossing");
  group->require_subcommand(1);
  add_sheet(*group, invocation);
}

}  // namespace liftlock
