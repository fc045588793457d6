#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "audit/audit_log.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "sync/rings.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string ring;
  std::string channel;
  std::uint64_t sequence = 0;
};

void promote(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("ring promote", {Zone::ingest, Zone::production});
  site.require_own();
  if (!is_ring_name(options.ring)) {
    fail(ErrorCode::usage, "'{}' is no name of a ring: up to 64 letters, digits, '-' and '_'", printable(options.ring));
  }
  if (options.ring == k_canary_ring) {
    throw Error(ErrorCode::usage, "the ring canary follows whatever lands; nothing is promoted to it",
                "promote to the ring that the other nodes name, such as plant");
  }
  const auto subject = fmt::format("{}/{}", options.channel, options.sequence);
  const auto publication = Catalog(site.catalog_file()).publication(options.channel, options.sequence);
  if (!publication) {
    throw Error(ErrorCode::not_found, fmt::format("there is no publication '{}'", printable(subject)),
                "`liftlock ls --publications` lists those in use");
  }
  const auto before = Rings(site.rings_file()).all();
  if (const auto found = before.find(options.ring); found != before.end()) {
    std::uint64_t newest = 0;
    for (const auto& one : found->second) {
      if (one.channel == options.channel) newest = std::max(newest, one.sequence);
    }
    if (newest > options.sequence) {
      invocation.reporter().warn(
          fmt::format("the ring {} has {}/{} already: a node that took it takes {} only where that bundle named it as "
                      "still under way; a ring does not go back (`liftlock retire` takes the newer one out of use)",
                      options.ring, printable(options.channel), newest, printable(subject)));
    }
  }
  record_config(invocation, site);
  AuditLog log(site.audit_folder(), "");
  const Json json = {{"ring", options.ring},
                     {"channel", options.channel},
                     {"sequence", options.sequence},
                     {"bundle", publication->bundle_digest.text()}};
  logged_effect(log,
                {.type = "ring.promote",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = subject,
                 .detail = dump_json_line(json)},
                [&] {
                  Rings(site.rings_file())
                      .promote(options.ring, {.channel = options.channel,
                                              .sequence = options.sequence,
                                              .digest = publication->bundle_digest,
                                              .since = now(),
                                              .actor = invocation.actor()});
                });
  invocation.print(json, [&] {
    return fmt::format("{} is for the ring {}: its nodes take it when they next look", subject, options.ring);
  });
}

/// The ids of what is in use of a bundle.
std::set<std::string> members_of(const Catalog& catalog, const RingDocument::Bundle& bundle) {
  std::set<std::string> ids;
  if (const auto publication = catalog.publication(bundle.channel, bundle.sequence)) {
    for (const auto& artifact : publication->artifacts) ids.insert(artifact.id());
  }
  return ids;
}

void list(Invocation& invocation) {
  const auto site = invocation.site();
  site.require_zone("ring list", {Zone::ingest, Zone::production});
  const Catalog catalog(site.catalog_file(), Access::read);
  const auto published = published_bundles(catalog);
  std::map<Digest, std::set<std::string>> members;  // by bundle
  if (invocation.json()) {
    for (const auto& bundle : published.in_use) members[bundle.digest] = members_of(catalog, bundle);
  }
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows = {{"RING", "BUNDLE", "ARTIFACTS", "SINCE", "BY", "STATE"}};
  const auto add = [&](const std::string& ring, const Promotion& one, const std::string& since) {
    const auto found = std::find_if(published.in_use.begin(), published.in_use.end(),
                                    [&](const auto& bundle) { return bundle.digest == one.digest; });
    const bool in_use = found != published.in_use.end();
    json.push_back({{"ring", ring},
                    {"channel", one.channel},
                    {"sequence", one.sequence},
                    {"in_use", in_use},
                    {"artifacts", members[one.digest]}});
    if (!since.empty()) json.back().update({{"since", since}, {"actor", one.actor}});
    rows.push_back({ring, fmt::format("{}/{}", one.channel, one.sequence),
                    in_use ? std::to_string(found->artifacts) : "", since, printable(one.actor),
                    in_use ? "in use" : "retired"});
  };
  for (const auto& bundle : published.in_use) {
    add(std::string(k_canary_ring),
        {.channel = bundle.channel, .sequence = bundle.sequence, .digest = bundle.digest, .since = {}, .actor = {}},
        "");
  }
  for (const auto& [ring, promotions] : Rings(site.rings_file()).all()) {
    for (const auto& one : promotions) add(ring, one, format_time(one.since));
  }
  invocation.print({{"rings", std::move(json)}},
                   [&] { return rows.size() == 1 ? std::string("nothing landed here yet\n") : format_table(rows); });
}

}  // namespace

void add_ring(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("ring", "Which bundles go to which production nodes");
  group->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* command = group->add_subcommand("promote", "Give a bundle to the nodes of a ring");
  command->add_option("RING", options->ring, "As the nodes' config.toml has it ([sync] ring)")->required();
  command->add_option("CHANNEL", options->channel, "Of the bundle")->required();
  command->add_option("SEQUENCE", options->sequence, "Of the bundle")->required();
  command->footer(
      "The ring canary needs no promotion: it follows what lands. A ring does not go back: `liftlock retire` takes a\n"
      "bundle out of use, also at the nodes.\nExample: liftlock ring promote plant demo 7");
  command->callback([&invocation, options] { promote(invocation, *options); });
  auto* listing = group->add_subcommand("list", "What each ring has");
  listing->footer(
      "ARTIFACTS is how many of a bundle's are in use; --json names them.\nExample: liftlock ring list --json");
  listing->callback([&invocation] { list(invocation); });
}

}  // namespace liftlock
