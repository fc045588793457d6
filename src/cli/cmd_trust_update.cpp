#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string path;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("trust update", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  TrustStore store(site.trust_folder());
  const auto chain = read_chain(options.path);
  const auto before = store.current();
  const auto after = judge_chain(store.pinned_chain(), chain, now());
  const Json result{{"from", before.version}, {"version", after.version}, {"fingerprint", after.fingerprint.text()}};
  if (after.version > before.version) {
    record_trust(invocation, "trust.update", Outcome::intent, after.fingerprint.text(), result);
    store.follow(chain, now());
    record_trust(invocation, "trust.update", Outcome::success, after.fingerprint.text(), result);
  }
  invocation.print(result, [&] {
    if (after.version == before.version) return fmt::format("nothing newer than version {}", before.version);
    return fmt::format("followed from version {} to:\n{}", before.version, root_text(after));
  });
}

}  // namespace

void add_trust_update(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand(
      "update", "Follow newer root statements from a file or a bundle (an ingest does it by itself)");
  auto options = std::make_shared<Options>();
  command->add_option("FILE_OR_BUNDLE", options->path, "A root statement, a folder of them, or a bundle")->required();
  command->footer("Example: liftlock trust update /mnt/bundle");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "update", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
