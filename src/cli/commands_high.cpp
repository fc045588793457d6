#include <vector>

#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {

std::string_view side_name() {
  return "high";
}

std::optional<std::string> stack_file_text(std::string_view) {
  return std::nullopt;
}

CommandTable commands_of_side() {
  // clang-format off
  static const std::vector<AddCommand> k_commands = {
      add_ingest,
      add_engine,
      add_serve,
      add_render_clients,
  };
  // clang-format on
  return k_commands;
}

}  // namespace liftlock
