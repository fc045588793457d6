#include "cli/cmd_media.hpp"

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace liftlock {

void add_media(CLI::App& app, Invocation& invocation) {
  auto* group = app.add_subcommand("media", "The register of media: what came in, what left, whether copies are whole");
  group->require_subcommand(1);
  for (const auto add : {add_media_in, add_media_out, add_media_ls, add_media_verify}) add(*group, invocation);
}

}  // namespace liftlock
