#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/trust_change.hpp"
#include "trust/trust_fork.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string path;
};

/// What rotted or was lost comes back from statements that have all that the log tells of; others do not take its
/// place.
bool heal(Invocation& invocation, const Site& site, const std::vector<std::string>& brought, const Error& broken) {
  TrustStore store(site.trust_folder());
  const auto log = AuditLog::open_to_read(site.audit_folder());
  const auto chain = LoggedTrust().whole_chain(store, log, brought, now());
  if (chain.empty()) return false;
  const auto root = parse_root(chain.back());
  const auto fingerprint = root.fingerprint.text();
  const Json result{
      {"version", root.version},
      {"fingerprint", fingerprint},
      {"remark", "what was pinned is made good: " + printable(std::string_view(broken.what()).substr(0, 4000))}};
  record_trust(invocation, "trust.update", Outcome::intent, fingerprint, result);
  replace_chain(store, chain, now());
  record_trust(invocation, "trust.update", Outcome::success, fingerprint, result);
  mark_followed(invocation, TrustMark::raise, chain);
  invocation.print(result, [&] {
    return fmt::format("what was pinned is made good ({}):\n{}", printable(broken.what()), root_text(root));
  });
  return true;
}

void follow(Invocation& invocation, const Site& site, const Options& options, const std::vector<std::string>& chain) {
  try {
    (void)trust_of(site);
  } catch (Error& error) {
    if (error.code() != ErrorCode::trust_broken && error.code() != ErrorCode::trust_missing) throw;
    if (heal(invocation, site, chain, error)) return;
    error.add_context(fmt::format("and '{}' does not have all that is needed", printable(options.path)));
    throw;
  }
  TrustStore store(site.trust_folder());
  const auto before = store.current();
  const auto after = judge_chain(store.pinned_chain(), chain, now());
  const Json result{{"from", before.version}, {"version", after.version}, {"fingerprint", after.fingerprint.text()}};
  if (after.version > before.version) {
    record_trust(invocation, "trust.update", Outcome::intent, after.fingerprint.text(), result);
    store.follow(chain, now());
    record_trust(invocation, "trust.update", Outcome::success, after.fingerprint.text(), result);
  }
  mark_followed(invocation, TrustMark::raise, chain);
  invocation.print(result, [&] {
    if (after.version == before.version) return fmt::format("nothing newer than version {}", before.version);
    return fmt::format("followed from version {} to:\n{}", before.version, root_text(after));
  });
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("trust update", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  const auto chain = read_chain(options.path);
  noting_forks(site, chain, invocation.actor(), [&] { follow(invocation, site, options, chain); });
}

}  // namespace

void add_trust_update(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("update",
                                     "Follow newer root statements from a file or a bundle (an ingest does it by "
                                     "itself); what rotted or was lost of the pinned ones comes back");
  auto options = std::make_shared<Options>();
  command->add_option("FILE_OR_BUNDLE", options->path, "A root statement, a folder of them, or a bundle")->required();
  command->footer("Example: liftlock trust update /mnt/bundle");
  command->callback([&invocation, options] {
    recorded_change(invocation, "trust.update", "update", [&] { run(invocation, *options); });
  });
}

}  // namespace liftlock
