#include <fcntl.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "advisory/affected.hpp"
#include "advisory/match.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/inspection.hpp"
#include "cli/interrupt.hpp"
#include "cli/store_view.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string severity = "none";
  bool fail = false;
};

const std::vector<std::string> k_severities = {"critical", "high", "medium", "low", "none"};

/// What a person wants to know beyond the advisory.
struct Line {
  advisory::Affected found;
  std::vector<std::string> holders;  ///< publications and sets that bring it
  std::vector<std::string> used_by;  ///< artifacts that need it
  std::string fixed_here;            ///< an artifact of the store that is not affected; empty: none
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

/// In the store already, by the same name, and late enough.
std::string fixed_here(const advisory::Affected& found, const std::vector<advisory::Subject>& subjects,
                       const std::vector<advisory::Affected>& all) {
  const auto subject =
      std::find_if(subjects.begin(), subjects.end(), [&](const auto& one) { return one.id == found.artifact; });
  if (subject == subjects.end() || found.fixed.empty()) return {};
  for (const auto& other : subjects) {
    if (other.known.ecosystem != subject->known.ecosystem || other.known.name != subject->known.name) continue;
    const bool affected = std::any_of(all.begin(), all.end(), [&](const auto& one) {
      return one.artifact == other.id && one.advisory == found.advisory;
    });
    if (!affected && advisory::is_earlier(other.known.ecosystem, other.known.version, found.fixed) == false)
      return other.id;
  }
  return {};
}

std::vector<Line> lines_of(const OpenStore& store, const std::vector<Artifact>& artifacts,
                           const std::vector<advisory::Subject>& subjects,
                           const std::vector<advisory::Affected>& affected, const std::string& least) {
  std::multimap<std::string, std::string> users;
  for (const auto& artifact : artifacts) {
    for (const auto& need : artifact.needs) users.emplace(need, artifact.id());
  }
  const auto rank = [](const std::string& word) { return std::find(k_severities.begin(), k_severities.end(), word); };
  std::vector<Line> out;
  for (const auto& found : affected) {
    // What has no severity may be the worst of all.
    if (!found.severity.empty() && rank(found.severity) > rank(least)) continue;
    Line line{found, store.catalog.holders(found.artifact), {}, fixed_here(found, subjects, affected)};
    const auto [from, to] = users.equal_range(found.artifact);
    for (auto user = from; user != to; ++user) line.used_by.push_back(user->second);
    out.push_back(std::move(line));
  }
  return out;
}

std::string remedy(const Line& line) {
  if (!line.fixed_here.empty()) return fmt::format("{} is here already", line.fixed_here);
  if (!line.found.fixed.empty()) return fmt::format("fixed in {}: a bundle with it has to come", line.found.fixed);
  return "no fixed version is stated";
}

std::string to_text(const std::vector<Line>& lines, const std::vector<Artifact>& databases, const Catalog& catalog,
                    std::size_t records) {
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
    out += fmt::format("          {}\n", printable(remedy(line)));
  }
  out += fmt::format("{} by {} of\n", counted(lines.size(), "finding", "findings"), counted(records, "record"));
  for (const auto& database : databases) {
    out += fmt::format("  {}, newest record {}\n", printable(database.id()),
                       printable(catalog.inspection(database).value("newest", "unknown")));
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
                   {"fixed_here", line.fixed_here},
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
  const auto match = match_advisories_in_cell(subjects, descriptors);
  const auto lines = lines_of(store, artifacts, subjects, match.affected, options.severity);
  auto sources = Json::array();
  for (const auto& database : databases) {
    sources.push_back({{"id", database.id()}, {"newest", store.catalog.inspection(database).value("newest", "")}});
  }
  const Json json = {{"records", match.records},
                     {"databases", std::move(sources)},
                     {"packages", subjects.size()},
                     {"findings", to_json(lines)}};
  invocation.print(json, [&] { return to_text(lines, databases, store.catalog, match.records); });
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
      "It reads the databases of advisories that crossed ([advisories.NAME] of the stack), the newest of each name; it "
      "asks\n"
      "nobody. Packages of PyPI, npm, Cargo, Go and Debian are compared in their own order of versions, Maven's by "
      "the\n"
      "versions that a record names. What lies in images and archives is not looked into.\n"
      "Example: liftlock report --severity high --fail");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
