#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {

void add_completion(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("completion", "Print the completion script for bash");
  command->footer("Example: liftlock completion > /etc/bash_completion.d/liftlock");
  command->callback([&app, &invocation] {
    const auto script = bash_completion(app);
    invocation.print({{"shell", "bash"}, {"script", script}}, [&] { return script; });
  });
}

void add_manual(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("manual", "Write the man pages of all commands into a folder");
  auto folder = std::make_shared<std::string>();
  command->add_option("FOLDER", *folder, "Where the .1 files go")->required();
  command->footer("Example: liftlock manual /usr/local/share/man/man1");
  command->callback([&app, &invocation, folder] {
    const auto pages = write_manual(app, *folder);
    invocation.print({{"folder", *folder}, {"pages", pages}},
                     [&] { return fmt::format("{} pages in {}, the first to read is liftlock.1", pages, *folder); });
  });
}

}  // namespace liftlock
