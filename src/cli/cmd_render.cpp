#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace liftlock {

void add_render(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("render", "Write configuration for other programs");
  group->require_subcommand(1);
  add_render_of_side(*group, invocation);
  add_render_telemetry(*group, invocation);
  add_render_dockerfile(*group, invocation);
}

}  // namespace liftlock
