#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "cli/output_file.hpp"
#include "cli/whole_number.hpp"
#include "cli/witness_view.hpp"
#include "witness/witness_memory.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string output;
  std::string witness;
  std::optional<std::uint64_t> since;
};

/// A request that cannot be carried must not take the place of the one under way.
void require_place(const std::string& output) {
  if (is_standard_output(output)) return;
  const auto folder = fs::absolute(output).parent_path();
  if (fs::is_directory(output) || ::access(folder.c_str(), W_OK) != 0) {
    fail(ErrorCode::io_error, "'{}' cannot be written", printable(output));
  }
}

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit witness request", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  record_config(invocation, site);
  const Meetings meetings(site);
  const auto& witness = meetings.witness(options.witness);
  AuditLog log(site.audit_folder(), "");
  require_place(options.output);
  const auto asked = meetings.request(log, witness, options.since, invocation.actor());
  write_output(options.output, asked.text);
  if (is_standard_output(options.output)) return;
  const auto print = fingerprint(NoteKey::parse(log.verifier_key()));
  const Json result = {{"file", options.output},
                       {"witness", witness.name},
                       {"size", asked.size},
                       {"since", asked.since},
                       {"fingerprint", print.text()}};
  invocation.print(result, [&] {
    return fmt::format("request to {} in {}: {}, of which it saw {}\nfingerprint of this log: {}\n",
                       printable(witness.name), printable(options.output), counted(asked.size, "entry", "entries"),
                       asked.since, print.spoken());
  });
}

}  // namespace

void add_audit_witness_request(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("request", "Write the newest checkpoint, and a proof of what came since");
  auto options = std::make_shared<Options>();
  command->add_option("--output,-o", options->output, "The file to carry to the witness; - for standard output")
      ->required()
      ->type_name("FILE");
  command->add_option("--witness", options->witness, "Its name, where config.toml has several")->type_name("NAME");
  command->add_option("--since", options->since, "The size that the witness saw last, where this side knows another")
      ->check(whole_number(0, k_max_exact));
  command->footer(
      "The witness's answer is accepted to the newest request only.\n"
      "Example: liftlock audit witness request --output /media/stick/request");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
