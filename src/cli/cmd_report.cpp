#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "advisory/affected.hpp"
#include "advisory/match.hpp"
#include "advisory/not_compared.hpp"
#include "advisory/remedy.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/fix_search.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/store_view.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string severity = "none";
  bool fail = false;
};

constexpr std::size_t k_most_shown = 5;  ///< advisories of a version to ask for
const std::vector<std::string> k_severities = {"critical", "high", "medium", "low", "none"};

/// What a person wants to know beyond the advisory.
struct Line {
  advisory::Affected found;
  std::vector<std::string> holders;  ///< publications and sets that bring it
  std::vector<std::string> used_by;  ///< artifacts that need it
  std::vector<Offer> offers;         ///< what is here already, and is not affected
};

/// The newest database of each name; older ones say nothing that it does not say.
std::vector<Artifact> newest_databases(const Catalog& catalog, const std::vector<Artifact>& artifacts) {
  std::map<std::string, std::pair<std::string, Artifact>> newest;
  for (const auto& artifact : artifacts) {
    if (artifact.kind != "advisories") continue;
    const auto date = catalog.inspection(artifact).value("newest", "");
    const auto found = newest.find(artifact.name);
    if (found == newest.end()) {
      newest.emplace(artifact.name, std::pair(date, artifact));
    } else if (date > found->second.first) {
      found->second = {date, artifact};
    }
  }
  std::vector<Artifact> out;
  for (auto& [name, one] : newest) out.push_back(std::move(one.second));
  return out;
}

/// Those of at least this severity. What has none may be the worst of all.
std::vector<advisory::Affected> told(const std::vector<advisory::Affected>& affected, const std::string& least) {
  const auto rank = [](const std::string& word) { return std::find(k_severities.begin(), k_severities.end(), word); };
  std::vector<advisory::Affected> out;
  std::copy_if(affected.begin(), affected.end(), std::back_inserter(out),
               [&](const auto& found) { return found.severity.empty() || rank(found.severity) <= rank(least); });
  return out;
}

/// @param affected all, for a version that is offered counts by what is not told as well
std::vector<Line> lines_of(const OpenStore& store, const std::vector<Artifact>& artifacts, const FixSearch& fixes,
                           const std::vector<advisory::Affected>& affected, const std::string& least) {
  std::multimap<std::string, std::string> users;
  std::map<std::string, std::vector<std::string>> holders;  // by the ids that are in use, as far as they are told
  for (const auto& artifact : artifacts) {
    holders.emplace(artifact.id(), std::vector<std::string>());
    for (const auto& need : artifact.needs) users.emplace(need, artifact.id());
  }
  const auto meant = advisory::meant_of(affected);
  std::vector<Line> out;
  for (const auto& found : told(affected, least)) {
    const auto holder = holders.find(found.artifact);
    if (holder == holders.end()) continue;
    if (holder->second.empty()) holder->second = store.catalog.holders(found.artifact);
    Line line{found, holder->second, {}, fixes.offers(found, meant)};
    const auto [from, to] = users.equal_range(found.artifact);
    for (auto user = from; user != to; ++user) line.used_by.push_back(user->second);
    out.push_back(std::move(line));
  }
  return out;
}

/// Of whatever has a finding that nothing here ends.
advisory::AskedVersions asked_versions(const std::vector<Line>& lines, const std::vector<advisory::Subject>& subjects) {
  std::vector<advisory::Affected> findings;
  std::set<std::string> wanted;
  for (const auto& line : lines) {
    findings.push_back(line.found);
    if (line.offers.empty()) wanted.insert(line.found.artifact);
  }
  return {findings, wanted, subjects};
}

std::string remedy(const Offer& offer) {
  switch (offer.state) {
    case Offer::State::landed:
      return fmt::format("{} is here already, with {}", offer.artifact, offer.bundle);
    case Offer::State::waiting:
      return fmt::format("{} waits in {}: `liftlock ingest {}`", offer.artifact, offer.bundle, offer.source);
    case Offer::State::retired:
      return fmt::format("{} came with {}, which was retired: ingest it again with --restore-retired", offer.artifact,
                         offer.bundle);
  }
  return {};
}

/// "source lvm2 " before versions that are not the package's own.
std::string whose(const std::string& source) {
  return source.empty() ? std::string() : fmt::format("source {} ", source);
}

std::string remedies(const Line& line) {
  std::string out = line.found.fixed.empty()
                        ? "no fixed version is stated"
                        : fmt::format("fixed in {}{}", whose(line.found.source), fmt::join(line.found.fixed, ", "));
  if (line.offers.empty()) out += "; no bundle here brings a version that is not affected";
  for (const auto& offer : line.offers) out += "\n          " + printable(remedy(offer));
  return out;
}

std::string asks_text(const std::vector<advisory::Ask>& asks, Zone zone) {
  if (asks.empty()) return {};
  std::string out = zone == Zone::low ? "to be locked, fetched and packed:\n" : "to ask the low side for:\n";
  for (const auto& ask : asks) {
    const auto what = advisory::without_version(ask.artifact);
    const auto version = ask.artifact.substr(what.size() + 1);
    auto text = ask.version.empty()
                    ? fmt::format("  {}: a version after {}, once there is one", what, version)
                    : fmt::format("  {}{} {}{} or later, instead of {}", what, ask.source.empty() ? "" : " of",
                                  whose(ask.source), ask.version, version);
    for (std::size_t i = 0; i < std::min(ask.advisories.size(), k_most_shown); ++i)
      text += (i == 0 ? "; still affected by " : ", ") + ask.advisories[i];
    if (ask.advisories.size() > k_most_shown) text += fmt::format(" and {} more", ask.advisories.size() - k_most_shown);
    out += printable(text) + "\n";
  }
  return out;
}

std::string to_text(const std::vector<Line>& lines, const std::vector<Artifact>& databases, const Catalog& catalog,
                    std::size_t records, const advisory::NotCompared& others) {
  std::string out;
  for (const auto& line : lines) {
    const auto& found = line.found;
    out +=
        fmt::format("{:<8}  {}  {}{}\n", found.severity.empty() ? "unrated" : found.severity, printable(found.artifact),
                    found.advisory, found.aliases.empty() ? "" : fmt::format(" ({})", fmt::join(found.aliases, ", ")));
    if (!found.summary.empty()) out += fmt::format("          {}\n", found.summary);
    out += fmt::format("          held by {}{}\n", describe_holders(line.holders),
                       line.used_by.empty() ? ""
                                            : fmt::format("; needed by {}",
                                                          printable(fmt::format("{}", fmt::join(line.used_by, ", ")))));
    out += fmt::format("          {}\n", remedies(line));
  }
  out += fmt::format("{} by {} of\n", counted(lines.size(), "finding", "findings"), counted(records, "record"));
  for (const auto& database : databases) {
    out += fmt::format("  {}, newest record {}\n", printable(database.id()),
                       printable(catalog.inspection(database).value("newest", "unknown")));
  }
  const auto words = advisory::to_text(others);
  if (!words.empty()) out += fmt::format("not compared: {}\n", printable(words));
  return out;
}

Json to_json(const std::vector<Offer>& offers) {
  auto out = Json::array();
  for (const auto& offer : offers) {
    Json one = {{"artifact", offer.artifact}, {"bundle", offer.bundle}, {"state", name(offer.state)}};
    if (!offer.source.empty()) one["source"] = offer.source;
    out.push_back(std::move(one));
  }
  return out;
}

Json to_json(const std::vector<advisory::Ask>& asks) {
  auto out = Json::array();
  for (const auto& ask : asks) {
    out.push_back({{"package", advisory::without_version(ask.artifact)},
                   {"instead_of", ask.artifact},
                   {"version", ask.version},
                   {"version_of_source", ask.source},
                   {"affected_by", ask.advisories}});
  }
  return out;
}

Json to_json(const std::vector<Line>& lines) {
  auto out = Json::array();
  for (const auto& line : lines) {
    out.push_back({{"artifact", line.found.artifact},
                   {"advisory", line.found.advisory},
                   {"aliases", line.found.aliases},
                   {"severity", line.found.severity},
                   {"summary", line.found.summary},
                   {"fixed", line.found.fixed},
                   {"fixed_of_source", line.found.source},
                   {"brought_by", to_json(line.offers)},
                   {"held_by", line.holders},
                   {"needed_by", line.used_by}});
  }
  return out;
}

void run(Invocation& invocation, const Options& options) {
  begin_anew_after_interrupt();
  const auto site = invocation.site();
  const OpenStore store(site, "report", Access::read);
  const auto artifacts = store.catalog.artifacts();
  const auto databases = newest_databases(store.catalog, artifacts);
  if (databases.empty()) {
    throw Error(ErrorCode::not_found, "no database of advisories is in the store",
                "bring one: a table [advisories.NAME] of liftlock.toml, with an export of OSV records");
  }
  std::vector<UniqueFd> files;
  std::vector<int> descriptors;
  for (const auto& database : databases) {
    require_blobs(site, store, database);
    for (const auto& file : database.files)
      descriptors.push_back(files.emplace_back(store.blobs.open(file.digest)).get());
  }
  const auto subjects = advisory::subjects_of(artifacts);
  std::set<std::string> compared;
  for (const auto& subject : subjects) compared.insert(subject.id);
  const FixSearch fixes(site, store, artifacts);
  for (const auto& note : fixes.notes()) invocation.reporter().warn(note);
  const auto match = match_advisories_in_cell(fixes.subjects(), descriptors);
  const auto lines = lines_of(store, artifacts, fixes, match.affected, options.severity);
  const auto asked = asked_versions(lines, subjects);
  const auto asks =
      asked.asks(asked.subjects().empty()
                     ? std::vector<advisory::Affected>()
                     : told(match_advisories_in_cell(asked.subjects(), descriptors).affected, options.severity));
  const auto others = advisory::not_compared(artifacts);
  auto sources = Json::array();
  for (const auto& database : databases) {
    sources.push_back({{"id", database.id()}, {"newest", store.catalog.inspection(database).value("newest", "")}});
  }
  const Json json = {{"records", match.records},    {"databases", std::move(sources)},
                     {"packages", compared.size()}, {"not_compared", others.kinds},
                     {"ask", to_json(asks)},        {"findings", to_json(lines)}};
  invocation.print(json, [&] {
    return to_text(lines, databases, store.catalog, match.records, others) + asks_text(asks, site.config().zone);
  });
  if (options.fail && !lines.empty()) invocation.set_status(static_cast<int>(ErrorClass::policy));
}

}  // namespace

void add_report(CLI::App& app, Invocation& invocation) {
  auto* command =
      app.add_subcommand("report", "Which of what the store holds has a known vulnerability, and what would fix it");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--severity", options->severity, "The least that is told (default: all); what is unrated always is")
      ->check(CLI::IsMember(k_severities))
      ->type_name("WORD");
  command->add_flag("--fail", options->fail, "End with exit status 3 when there is a finding");
  command->footer(
      "It reads the databases of advisories that crossed ([advisories.NAME] of the stack), the newest of each name; "
      "it\n"
      "asks nobody. Packages of PyPI, npm, Cargo, Go, Maven, Debian, Ubuntu and, as RPM, of Red Hat, Rocky Linux,\n"
      "AlmaLinux, SUSE and openSUSE are compared in their own order of versions. What lies in images and archives is\n"
      "not looked into. Where a bundle that is here brings a version without the finding, it is named: one in use, "
      "one\n"
      "that was retired, or one that waits in a source of config.toml.\n"
      "Example: liftlock report --severity high --fail");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
