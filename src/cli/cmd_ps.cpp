#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/status_view.hpp"

namespace liftlock {
namespace {

void run(Invocation& invocation) {
  const auto status = server_status(invocation, "ps");
  const auto at = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  invocation.print(status, [&] { return running_table(status, at); });
}

}  // namespace

void add_ps(CLI::App& app, Invocation& invocation) {
  auto* command = app.add_subcommand("ps", "Show the models that the running server has loaded");
  command->footer(
      "Asks the `serve` of this installation over a socket in STATE/run that its user and root can open. IDLE LEFT is\n"
      "how long a model stays loaded if nobody asks it; RESIDENT is the memory that its engine holds; ASSURANCE says "
      "who could\n"
      "still change the bytes that were checked: sealed-memory and fs-verity (nobody), store-user, shared.\n"
      "Example: liftlock ps");
  command->callback([&invocation] { run(invocation); });
}

}  // namespace liftlock
