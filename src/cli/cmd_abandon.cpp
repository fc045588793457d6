#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "bundle/packed.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/commands.hpp"
#include "cli/config_record.hpp"
#include "cli/reason_option.hpp"
#include "cli/recorded_effect.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string channel;
  std::uint64_t sequence = 0;
  std::string reason;
};

/// @throws Error{not_found, immutable}
Digest abandoned(const AuditLog& log, const Options& options) {
  const auto bundle = packed_bundle(log, options.channel, options.sequence);
  if (bundle.acknowledged)
    fail(ErrorCode::immutable, "bundle {} of channel {} arrived, as was acknowledged", options.sequence,
         printable(options.channel));
  return bundle.digest;
}

void run(Invocation& invocation, const Options& options) {
  if (options.reason.empty()) fail(ErrorCode::reason_required, "who gives a bundle up says why");
  const auto site = invocation.site();
  site.require_zone("abandon", {Zone::low});
  record_config(invocation, site);
  const auto digest = abandoned(open_audit_log(invocation), options);
  note_of_bundle(invocation, k_abandon_event, options.channel, options.sequence,
                 {{"bundle", digest.text()}, {"reason", options.reason}},
                 "is given up: noted. The media that hold it should be wiped: until a newer bundle has landed that "
                 "does not name it as pending, the other side takes it.");
}

}  // namespace

void add_abandon(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("abandon", "Note that a bundle that was packed will never be taken in");
  auto options = std::make_shared<Options>();
  command->add_option("CHANNEL", options->channel, "The channel")->required();
  command->add_option("SEQUENCE", options->sequence, "The bundle's place in it")
      ->required()
      ->check(whole_number(1, k_max_exact));
  add_reason(*command, options->reason, "Why, for the audit log");
  command->footer(
      "`liftlock status` no longer waits for it, and `pack` refuses it with --pending and with --since.\n"
      "Should it arrive all the same, `liftlock acknowledge` notes that.\n"
      "Example: liftlock abandon demo 7 --reason 'the medium was lost at the gate'");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
