#include <vector>

#include "cli/commands.hpp"
#include "cli/program.hpp"

namespace liftlock {

std::string_view side_name() {
  return "low";
}

CommandTable commands_of_side() {
  // clang-format off
  static const std::vector<AddCommand> k_commands = {
      add_lock,
      add_fetch,
      add_pack,
      add_diff,
  };
  // clang-format on
  return k_commands;
}

}  // namespace liftlock
