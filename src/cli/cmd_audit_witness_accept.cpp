#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "cli/witness_view.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string answer;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit witness accept", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  record_config(invocation, site);
  const Meetings meetings(site);
  meetings.witness(meetings.witnesses().empty() ? "" : meetings.witnesses().front().name);
  AuditLog log(site.audit_folder(), "");
  const auto met = meetings.accept(log, get_carried(options.answer), invocation.actor());
  invocation.print({{"witnesses", witnesses_json(met)}}, [&] { return "met:\n" + witnesses_text(met, now()); });
}

}  // namespace

void add_audit_witness_accept(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("accept", "Take the witness's answer to the newest request");
  auto options = std::make_shared<Options>();
  command
      ->add_option("ANSWER", options->answer,
                   "What the witness wrote, or the last line of it alone; - for standard input, to type it")
      ->required();
  command->footer("Example: liftlock audit witness accept /media/stick/answer");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
