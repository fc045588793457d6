#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "cli/cmd_audit.hpp"
#include "cli/config_record.hpp"
#include "witness/witness_memory.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string name;
};

void run(Invocation& invocation, const Options& options) {
  const auto site = invocation.site();
  site.require_zone("audit witness key", {Zone::low, Zone::transfer, Zone::ingest, Zone::production});
  record_config(invocation, site);
  const bool made = !fs::exists(site.witness_folder() / "key.pub");
  if (made) {
    AuditLog(site.audit_folder(), "")
        .append({.type = "witness.key",
                 .actor = invocation.actor(),
                 .outcome = Outcome::intent,
                 .subject = options.name.empty() ? "witness" : options.name,
                 .detail = "{}"});
  }
  const WitnessMemory memory(site.witness_folder(), options.name);
  const auto key = memory.key().text();
  if (made) {
    AuditLog(site.audit_folder(), "")
        .append({.type = "witness.key",
                 .actor = invocation.actor(),
                 .outcome = Outcome::success,
                 .subject = options.name.empty() ? "witness" : options.name,
                 .detail = dump_json_line({{"key", key}})});
  }
  invocation.print({{"key", key}, {"created", made}}, [&] { return key + "\n"; });
}

}  // namespace

void add_audit_witness_key(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("key", "Print the key by which this machine witnesses other logs; makes it once");
  auto options = std::make_shared<Options>();
  command->add_option("--name", options->name, "Of a new key; default: liftlock-witness/HOST/RANDOM");
  command->footer(
      "Nodes name it in config.toml: [audit] witness = [\"KEY\"]\n"
      "Example: liftlock audit witness key --name plant4/archive");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
