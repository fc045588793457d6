#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "audit/audit_entry.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/whole_number.hpp"

namespace liftlock {
namespace {

struct Options {
  std::uint64_t index = 0;
};

void run(Invocation& invocation, const Options& options) {
  const auto log = open_audit_log(invocation);
  const auto proof = log.prove(options.index);
  const auto entry = log.read(options.index);
  const Json result = {{"index", options.index},
                       {"entry", entry_to_bytes(entry.event, entry.time)},
                       {"proof", proof},
                       {"verifier_key", log.verifier_key()}};
  invocation.print(result, [&] { return proof; });
}

}  // namespace

void add_audit_prove(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("prove", "Write a proof that an entry is in the log (C2SP tlog-proof)");
  auto options = std::make_shared<Options>();
  command->add_option("ENTRY", options->index, "The entry's number, as `liftlock audit tail` shows it")
      ->required()
      ->check(whole_number(0, k_max_exact));
  command->footer(
      "With --json the entry's exact bytes and the key stand beside the proof.\n"
      "Example: liftlock audit prove 41 > entry-41.tlog-proof");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
