#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {

void add_completion(CLI::App& app, Invocation&) {
  auto* command = app.add_subcommand("completion", "Print the completion script for bash");
  command->footer("Example: liftlock completion > /etc/bash_completion.d/liftlock");
  command->callback([&app] { std::cout << bash_completion(app); });
}

void add_manual(CLI::App& app, Invocation&) {
  auto* command = app.add_subcommand("manual", "Write the man pages of all commands into a folder");
  auto folder = std::make_shared<std::string>();
  command->add_option("FOLDER", *folder, "Where the .1 files go")->required();
  command->callback([&app, folder] { write_manual(app, *folder); });
}

}  // namespace liftlock
