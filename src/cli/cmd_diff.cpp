#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "bundle/bundle_reader.hpp"
#include "bundle/diff.hpp"
#include "bundle/lock.hpp"
#include "cli/commands.hpp"
#include "store/catalog.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string before;
  std::string after;
};

/// What a lock, a bundle's folder, or the store of this installation holds.
std::vector<Artifact> artifacts_at(const Invocation& invocation, const std::string& place) {
  if (place == "store" && !fs::exists(place)) {
    const auto site = invocation.site();
    site.require_zone("diff", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
    return Catalog(site.catalog_file(), Access::read).artifacts();
  }
  if (fs::is_directory(place)) {
    BundleReader bundle(place);
    bundle.load_lists();
    return bundle.artifacts();
  }
  if (!fs::exists(place)) {
    throw Error(ErrorCode::not_found, "there is no '" + printable(place) + "'",
                "name a lock, the folder of a bundle, or 'store'");
  }
  return artifacts_of(read_lock(place));
}

std::string size_change(const Difference& difference) {
  const auto grown = difference.new_size >= difference.old_size;
  const auto by = grown ? difference.new_size - difference.old_size : difference.old_size - difference.new_size;
  return (grown ? "+" : "-") + format_size(by);
}

void run(Invocation& invocation, const Options& options) {
  const auto differences =
      diff_artifacts(artifacts_at(invocation, options.before), artifacts_at(invocation, options.after));
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{{"CHANGE", "KIND", "NAME", "OLD", "NEW", "SIZE"}};
  for (const auto& one : differences) {
    json.push_back(to_json(one));
    rows.push_back({std::string(name(one.change)), printable(one.kind), printable(one.name), printable(one.old_version),
                    printable(one.new_version), size_change(one)});
  }
  invocation.print({{"differences", std::move(json)}},
                   [&] { return differences.empty() ? std::string("no difference\n") : format_table(rows); });
}

}  // namespace

void add_diff(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("diff", "Show what changed between two locks, bundles, or the store");
  auto options = std::make_shared<Options>();
  command->add_option("A", options->before, "A lock, the folder of a bundle, or 'store'")->required();
  command->add_option("B", options->after, "What to compare it with")->required();
  command->footer(
      "A bundle's signatures are not checked: `liftlock verify` does that.\n"
      "Example: liftlock diff old/liftlock.lock liftlock.lock");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
