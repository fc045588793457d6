#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace liftlock {

void add_health(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("health", "Ask whether what an application needs is there and well");
  group->require_subcommand(1);
  add_health_telemetry(*group, invocation);
  add_health_of_side(*group, invocation);
}

}  // namespace liftlock
