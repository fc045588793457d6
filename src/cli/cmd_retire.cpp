#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/import_channel.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/disbelieved.hpp"
#include "cli/last_uses.hpp"
#include "cli/reason_option.hpp"
#include "cli/store_view.hpp"
#include "cli/whole_number.hpp"
#include "engine/choices.hpp"
#include "engine/engine_process.hpp"
#include "sync/rings.hpp"
#include "trust/logged_trust.hpp"

namespace liftlock {
namespace {

struct Options {
  std::vector<std::string> names;  ///< CHANNEL/SEQUENCE; with --keep channels
  std::size_t keep = 0;
  bool revoked = false;
  bool dry_run = false;
  std::string reason;
};

std::string subject_of(const PublicationSummary& publication) {
  return fmt::format("{}/{}", publication.channel, publication.sequence);
}

/// What an import brought, without versions: only imports of the same things follow one another.
std::set<std::string> imported_names(const OpenStore& store, const PublicationSummary& summary) {
  std::set<std::string> out;
  if (summary.channel != k_import_channel) return out;
  const auto publication = store.catalog.publication(summary.channel, summary.sequence);
  if (!publication) return out;
  for (const auto& artifact : publication->artifacts) {
    const auto id = artifact.id();
    out.insert(id.substr(0, id.rfind('@')));
  }
  return out;
}

/// All but the newest `keep` of each channel, and of the imports of each name.
std::vector<MarkedPublication> choose_old(const OpenStore& store, const std::vector<PublicationSummary>& live,
                                          const Options& options) {
  std::map<std::pair<std::string, std::set<std::string>>, std::vector<PublicationSummary>> lines;
  std::set<std::string> channels;
  for (const auto& publication : live) {
    channels.insert(publication.channel);
    lines[{publication.channel, imported_names(store, publication)}].push_back(publication);
  }
  for (const auto& channel : options.names) {
    if (!channels.contains(channel)) fail(ErrorCode::not_found, "no publication of channel {}", printable(channel));
  }
  std::vector<MarkedPublication> out;
  for (auto& [line, publications] : lines) {
    const auto& channel = line.first;
    const bool named =
        std::find(options.names.begin(), options.names.end(), channel) != options.names.end() || options.names.empty();
    if (!named || publications.size() <= options.keep) continue;
    publications.erase(publications.end() - static_cast<std::ptrdiff_t>(options.keep), publications.end());
    for (auto& publication : publications) {
      out.push_back({std::move(publication), fmt::format("older than the newest {}", options.keep)});
    }
  }
  return out;
}

std::vector<MarkedPublication> choose_named(const std::vector<PublicationSummary>& live, const Options& options) {
  std::vector<MarkedPublication> out;
  for (const auto& wanted : std::set<std::string>(options.names.begin(), options.names.end())) {
    const auto found =
        std::find_if(live.begin(), live.end(), [&](const auto& one) { return subject_of(one) == wanted; });
    if (found == live.end()) {
      throw Error(ErrorCode::not_found, fmt::format("there is no publication '{}'", printable(wanted)),
                  "name them like demo/7, as `liftlock ls --publications` lists them");
    }
    out.push_back({*found, "named"});
  }
  return out;
}

/// What is only said beside it must not keep a revoked key's bundle in use.
void look_unless_urgent(const Options& options, Reporter& reporter, const std::function<void()>& look) {
  try {
    look();
  } catch (const Error& error) {
    if (!options.revoked) throw;
    reporter.warn(printable(error.what()));
  }
}

/// By the engine's full name the digest of its package.
std::map<std::string, std::string> installed_packages(const Site& site) {
  std::map<std::string, std::string> out;
  for (const auto& one : engine::installed_engines(site.engines_folder())) out[full_name(one)] = one.facts.package;
  return out;
}

/// A model behind an alias answers somebody: it stays until another one stands there.
void require_no_alias(const Site& site, const OpenStore& store, const std::vector<MarkedPublication>& chosen) {
  std::set<std::string> leaving;
  for (const auto& one : chosen) leaving.insert(subject_of(one.publication));
  const auto aliases = engine::Choices(site.aliases_file()).all();
  for (const auto& [alias, history] : *aliases) {
    const auto holders = store.catalog.holders(history.back().value);
    const bool stays =
        std::any_of(holders.begin(), holders.end(), [&](const auto& one) { return !leaving.contains(one); });
    if (holders.empty() || stays) continue;
    throw Error(ErrorCode::busy,
                fmt::format("{} stands behind the alias '{}'", printable(history.back().value), printable(alias)),
                "put another model there first: `liftlock model swap`");
  }
}

std::vector<MarkedPublication> choose_revoked(Invocation& invocation, const Site& site, const OpenStore& store) {
  auto found = disbelieved(store.catalog, store.blobs, trust_of(site).current());
  for (const auto& [publication, why] : found.unjudged) {
    invocation.reporter().warn(fmt::format("whether a revoked key signed it cannot be said of {}: {}",
                                           printable(subject_of(publication)), printable(why)));
  }
  return std::move(found.revoked);
}

/// What is served of a channel from then on is older, or nothing: that must not go unnoticed.
void tell_of_newest(Reporter& reporter, const std::vector<PublicationSummary>& live,
                    const std::vector<MarkedPublication>& chosen) {
  std::set<std::string> leaving;
  for (const auto& one : chosen) leaving.insert(subject_of(one.publication));
  std::map<std::string, const PublicationSummary*> newest, left;
  for (const auto& one : live) {
    if (one.channel == k_import_channel) continue;
    const auto keep = [&](const PublicationSummary*& at) {
      if (at == nullptr || at->sequence < one.sequence) at = &one;
    };
    keep(newest[one.channel]);
    if (!leaving.contains(subject_of(one))) keep(left[one.channel]);
  }
  for (const auto& [channel, publication] : newest) {
    if (!leaving.contains(subject_of(*publication))) continue;
    const auto next = left.find(channel);
    reporter.warn(fmt::format(
        "{} is the newest of its channel: {}", printable(subject_of(*publication)),
        next == left.end() ? "nothing of it is left in use" : subject_of(*next->second) + " takes its place"));
  }
}

/// What a ring runs goes out of use at its nodes, too: age alone is no reason for that, and whoever names it is told.
/// @return what stays: "demo/1, for the ring plant"
std::vector<std::string> keep_for_rings(const Site& site, const OpenStore& store, const Options& options,
                                        std::vector<MarkedPublication>& chosen, Reporter& reporter) {
  const auto in_rings = run_by_rings(Rings(site.rings_file()), published_bundles(store.catalog));
  std::vector<std::string> kept;
  std::erase_if(chosen, [&](const MarkedPublication& one) {
    const auto subject = subject_of(one.publication);
    const auto found = in_rings.find(subject);
    if (found == in_rings.end()) return false;
    const auto rings = fmt::format("{}", fmt::join(found->second, ", "));
    if (options.keep != 0) {
      kept.push_back(fmt::format("{}, for the ring {}", subject, rings));
      return true;
    }
    reporter.warn(
        fmt::format("{} is what the ring {} runs: its nodes take it out of use, too, unless they say "
                    "follow_retired = false",
                    printable(subject), rings));
    return false;
  });
  return kept;
}

/// What was used of those that stay.
std::set<std::string> used_by_others(const OpenStore& store, const std::vector<PublicationSummary>& live,
                                     const std::vector<MarkedPublication>& chosen, const LastUses& uses) {
  std::set<std::string> leaving, out;
  for (const auto& one : chosen) leaving.insert(subject_of(one.publication));
  for (const auto& one : live) {
    if (chosen.empty() || leaving.contains(subject_of(one))) continue;
    const auto publication = store.catalog.publication(one.channel, one.sequence);
    if (publication) out.merge(used_of(*publication, uses));
  }
  return out;
}

std::string last_use_text(const LastUse& use) {
  if (use.own) return format_time(*use.own);
  return use.shared ? "shared" : "never";
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("retire", {Zone::ingest, Zone::production});
  if ((options.keep != 0) + options.revoked + (options.keep == 0 && !options.names.empty()) != 1) {
    throw Error(ErrorCode::usage, "say which: CHANNEL/SEQUENCE, --keep N, or --revoked",
                "see `liftlock retire --help`");
  }
  if (!options.dry_run && options.reason.empty()) fail(ErrorCode::reason_required, "retiring needs --reason");
  if (!options.dry_run) site.require_own();
  OpenStore store(site, "retire", options.dry_run ? Access::read : Access::write);
  const auto live = store.catalog.publications();
  auto chosen = options.revoked     ? choose_revoked(invocation, site, store)
                : options.keep != 0 ? choose_old(store, live, options)
                                    : choose_named(live, options);
  std::vector<std::string> kept;
  look_unless_urgent(options, invocation.reporter(),
                     [&] { kept = keep_for_rings(site, store, options, chosen, invocation.reporter()); });
  require_no_alias(site, store, chosen);
  tell_of_newest(invocation.reporter(), live, chosen);
  std::map<std::string, std::string> packages;
  look_unless_urgent(options, invocation.reporter(), [&] { packages = installed_packages(site); });
  const auto uses = last_uses(AuditLog::open_to_read(site.audit_folder()), packages);
  std::set<std::string> staying;
  look_unless_urgent(options, invocation.reporter(), [&] { staying = used_by_others(store, live, chosen, uses); });
  auto list = Json::array();
  std::vector<std::vector<std::string>> rows{{"PUBLICATION", "PUBLISHED", "ARTIFACTS", "SIZE", "LAST USED", "WHY"}};
  for (const auto& [publication, why] : chosen) {
    const auto whole = store.catalog.publication(publication.channel, publication.sequence);
    const auto used = whole ? last_use(*whole, uses, staying) : LastUse{};
    list.push_back({{"publication", subject_of(publication)},
                    {"published", format_time(publication.published_at)},
                    {"artifacts", publication.artifact_count},
                    {"bytes", publication.size},
                    {"last_used", used.own ? Json(format_time(*used.own)) : Json()},
                    {"shared_last_used", used.shared ? Json(format_time(*used.shared)) : Json()},
                    {"why", why}});
    rows.push_back({subject_of(publication), format_time(publication.published_at),
                    std::to_string(publication.artifact_count), format_size(publication.size), last_use_text(used),
                    why});
  }
  if (!options.dry_run && !chosen.empty()) {
    record_config(invocation, site);
    AuditLog log(site.audit_folder(), "");
    for (const auto& [publication, why] : chosen) {
      logged_effect(log,
                    {.type = "bundle.retire",
                     .actor = invocation.actor(),
                     .outcome = Outcome::intent,
                     .subject = subject_of(publication),
                     .detail = dump_json_line(
                         {{"bundle", publication.bundle_digest.text()}, {"why", why}, {"reason", options.reason}})},
                    [&] { store.catalog.retire(publication.channel, publication.sequence); });
    }
  }
  invocation.print({{"dry_run", options.dry_run}, {"retired", std::move(list)}, {"kept_for_rings", kept}}, [&] {
    std::string stays;
    for (const auto& one : kept) stays += fmt::format("in use: {}\n", printable(one));
    if (chosen.empty()) return stays + "nothing to retire\n";
    return stays + format_table(rows) +
           (options.dry_run ? fmt::format("{} would be retired\n", counted(chosen.size(), "publication"))
                            : fmt::format("{} out of use; `liftlock gc` frees what nothing else needs\n",
                                          counted(chosen.size(), "publication")));
  });
}

}  // namespace

void add_retire(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("retire", "Take publications out of use: old ones, or those of a revoked key");
  auto options = std::make_shared<Options>();
  command->add_option("NAME", options->names, "CHANNEL/SEQUENCE; with --keep the channels that it is for");
  command->add_option("--keep", options->keep, "All but the newest N of each channel, and of the imports of each name")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command->add_flag("--revoked", options->revoked, "Those with a signature by a key that is revoked by now");
  command->add_flag("--dry-run", options->dry_run, "Only list them, with when each was last used");
  add_reason(*command, options->reason, "Why; written to the audit log");
  command->footer(
      "The sequence stays taken; ingesting the same bundle with --restore-retired brings it back, unless its signer "
      "is\n"
      "revoked. With --keep stays what a ring runs: of each channel the highest that was promoted to it.\n"
      "LAST USED is the last read of one of its files from the mirror, load of one of its models, push of one of its\n"
      "artifacts, or start of an engine that was installed from it. Only what goes with it counts: \"shared\" is "
      "where\n"
      "a publication that stays in use brings all that was used, too.\n"
      "Example: liftlock retire --keep 3 --dry-run");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
