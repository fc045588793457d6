#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/cmd_audit.hpp"

namespace liftlock {
namespace {

struct Options {
  std::string folder;
};

void run(Invocation& invocation, const Options& options) {
  const auto log = open_audit_log(invocation);
  log.export_to(options.folder);
  const Json result = {{"folder", options.folder}, {"verifier_key", log.verifier_key()}};
  invocation.print(result, [&] {
    return fmt::format("exported to {}\ncheck it anywhere with: python3 {}/check_log.py {} --key '{}'\n",
                       options.folder, options.folder, options.folder, log.verifier_key());
  });
}

}  // namespace

void add_audit_export(CLI::App& group, Invocation& invocation) {
  auto* command = group.add_subcommand("export", "Copy the log to a folder, with a script that checks it anywhere");
  auto options = std::make_shared<Options>();
  command->add_option("FOLDER", options->folder, "An empty or new folder")->required();
  command->footer("Example: liftlock audit export /media/usb/audit-2026-11");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
