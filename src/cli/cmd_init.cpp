#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_log.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string zone;
  std::string organisation;
};

/// The high executable cannot do a low installation's work, and the other way round.
void check_side(Zone zone) {
  const bool low = side_name() == "low";
  if (zone == Zone::transfer || low == (zone == Zone::low)) return;
  fail(ErrorCode::wrong_zone, "this is the {} executable; zone '{}' belongs to the other side", side_name(),
       name(zone));
}

void run(Invocation& invocation, const Options& options) {
  const auto zone = options.zone.empty() && side_name() == "low" ? std::optional(Zone::low) : parse_zone(options.zone);
  if (!zone) fail(ErrorCode::usage, "--zone must be low, transfer, ingest or production, not '{}'", options.zone);
  check_side(*zone);
  const auto existed = invocation.site().exists();
  const auto site = Site::create(invocation.site().folder(), *zone, options.organisation);
  if (!existed) {
    AuditLog(site.audit_folder(), "")
        .append({.type = "site.init",
                 .actor = invocation.actor(),
                 .outcome = Outcome::success,
                 .subject = std::string(name(*zone)),
                 .detail = "{}"});
  }
  const Json result = {{"state", site.folder().string()}, {"zone", name(*zone)}, {"created", !existed}};
  invocation.print(result, [&] {
    return fmt::format("{} installation of zone {} in {}", existed ? "found the" : "made an", name(*zone),
                       site.folder().string());
  });
}

}  // namespace

void add_init(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("init", "Create an installation: its folders, its zone and config.toml");
  auto options = std::make_shared<Options>();
  command->add_option("--zone", options->zone, "low, transfer, ingest or production (default on the low side: low)");
  command->add_option("--organisation", options->organisation, "Whose installation it is, for people");
  command->footer("Example: liftlock --state /srv/liftlock init --zone ingest --organisation 'Plant 4'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
